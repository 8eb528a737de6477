"""How do we ask language models, measured on real servers?"""
