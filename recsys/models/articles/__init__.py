"""The programs printed in the articles: the errors that stop them, and the corrected program."""
