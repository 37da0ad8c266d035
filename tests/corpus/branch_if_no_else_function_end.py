seen = []


def note(value):
    if value:
        seen.append(value)


def note_more(value):
    if value:
        seen.append(value)


def note_only(value):
    if value:
        seen.append(value)


note(0)
note_more(0)
note_more(1)
note_only(1)
