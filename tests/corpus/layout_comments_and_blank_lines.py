# A comment.

# Another.


def f(a):

    # Inside.

    if a:
        # Only a comment before the statement.

        b = 1

        # After.
    else:

        # Else.
        b = 2
    # End.

    return b  # trailing


# Between.
print(f(1))
# The end.
