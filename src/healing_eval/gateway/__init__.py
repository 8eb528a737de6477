"""How do we ask a model?"""
