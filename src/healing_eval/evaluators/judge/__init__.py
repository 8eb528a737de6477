"""What does a language model say about a conversation?"""
