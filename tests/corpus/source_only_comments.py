# Nothing but this comment,
# and this one.
