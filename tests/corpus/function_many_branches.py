def f(n):
    out = 0
    if n % 2 == 0:
        out += 0
    if n % 3 == 0:
        out += 1
    if n % 4 == 0:
        out += 2
    if n % 5 == 0:
        out += 3
    if n % 6 == 0:
        out += 4
    if n % 7 == 0:
        out += 5
    if n % 8 == 0:
        out += 6
    if n % 9 == 0:
        out += 7
    if n % 10 == 0:
        out += 8
    if n % 11 == 0:
        out += 9
    if n % 12 == 0:
        out += 10
    if n % 13 == 0:
        out += 11
    if n % 14 == 0:
        out += 12
    if n % 15 == 0:
        out += 13
    if n % 16 == 0:
        out += 14
    if n % 17 == 0:
        out += 15
    if n % 18 == 0:
        out += 16
    if n % 19 == 0:
        out += 17
    if n % 20 == 0:
        out += 18
    if n % 21 == 0:
        out += 19
    if n % 22 == 0:
        out += 20
    if n % 23 == 0:
        out += 21
    if n % 24 == 0:
        out += 22
    if n % 25 == 0:
        out += 23
    if n % 26 == 0:
        out += 24
    if n % 27 == 0:
        out += 25
    if n % 28 == 0:
        out += 26
    if n % 29 == 0:
        out += 27
    if n % 30 == 0:
        out += 28
    if n % 31 == 0:
        out += 29
    if n % 32 == 0:
        out += 30
    if n % 33 == 0:
        out += 31
    if n % 34 == 0:
        out += 32
    if n % 35 == 0:
        out += 33
    if n % 36 == 0:
        out += 34
    if n % 37 == 0:
        out += 35
    if n % 38 == 0:
        out += 36
    if n % 39 == 0:
        out += 37
    if n % 40 == 0:
        out += 38
    if n % 41 == 0:
        out += 39
    if n % 42 == 0:
        out += 40
    if n % 43 == 0:
        out += 41
    if n % 44 == 0:
        out += 42
    if n % 45 == 0:
        out += 43
    if n % 46 == 0:
        out += 44
    if n % 47 == 0:
        out += 45
    if n % 48 == 0:
        out += 46
    if n % 49 == 0:
        out += 47
    if n % 50 == 0:
        out += 48
    if n % 51 == 0:
        out += 49
    if n % 52 == 0:
        out += 50
    if n % 53 == 0:
        out += 51
    if n % 54 == 0:
        out += 52
    if n % 55 == 0:
        out += 53
    if n % 56 == 0:
        out += 54
    if n % 57 == 0:
        out += 55
    if n % 58 == 0:
        out += 56
    if n % 59 == 0:
        out += 57
    if n % 60 == 0:
        out += 58
    if n % 61 == 0:
        out += 59
    if n % 62 == 0:
        out += 60
    if n % 63 == 0:
        out += 61
    if n % 64 == 0:
        out += 62
    if n % 65 == 0:
        out += 63
    if n % 66 == 0:
        out += 64
    if n % 67 == 0:
        out += 65
    if n % 68 == 0:
        out += 66
    if n % 69 == 0:
        out += 67
    if n % 70 == 0:
        out += 68
    if n % 71 == 0:
        out += 69
    if n % 72 == 0:
        out += 70
    if n % 73 == 0:
        out += 71
    if n % 74 == 0:
        out += 72
    if n % 75 == 0:
        out += 73
    if n % 76 == 0:
        out += 74
    if n % 77 == 0:
        out += 75
    if n % 78 == 0:
        out += 76
    if n % 79 == 0:
        out += 77
    if n % 80 == 0:
        out += 78
    if n % 81 == 0:
        out += 79
    if n == 0:
        return 0
    if n == 1:
        return 1
    if n == 2:
        return 2
    if n == 3:
        return 3
    if n == 4:
        return 4
    if n == 5:
        return 5
    if n == 6:
        return 6
    if n == 7:
        return 7
    if n == 8:
        return 8
    if n == 9:
        return 9
    if n == 10:
        return 10
    if n == 11:
        return 11
    if n == 12:
        return 12
    if n == 13:
        return 13
    if n == 14:
        return 14
    if n == 15:
        return 15
    if n == 16:
        return 16
    if n == 17:
        return 17
    if n == 18:
        return 18
    if n == 19:
        return 19
    if n == 20:
        return 20
    if n == 21:
        return 21
    if n == 22:
        return 22
    if n == 23:
        return 23
    if n == 24:
        return 24
    if n == 25:
        return 25
    if n == 26:
        return 26
    if n == 27:
        return 27
    if n == 28:
        return 28
    if n == 29:
        return 29
    if n == 30:
        return 30
    if n == 31:
        return 31
    if n == 32:
        return 32
    if n == 33:
        return 33
    if n == 34:
        return 34
    if n == 35:
        return 35
    if n == 36:
        return 36
    if n == 37:
        return 37
    if n == 38:
        return 38
    if n == 39:
        return 39
    return out


print(f(30), f(77), f(-1))
