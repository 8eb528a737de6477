"""Is each argument's value to be found in what came before the call?"""
