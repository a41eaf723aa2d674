"""stub"""
def warn_of_leaks(inputs, rows): pass
