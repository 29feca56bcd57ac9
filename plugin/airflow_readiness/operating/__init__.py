"""What an operator asks and does: the answers and the deeds, apart from the command line.

Each answer is data (``to_json()``), can be told to people (``parts()``), and has an exit code.
"""
