"""Does anything that a conversation says reach the judge's model as an order?"""
