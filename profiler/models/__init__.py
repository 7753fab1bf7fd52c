"""(a room in the making)"""
