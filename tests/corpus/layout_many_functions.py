def f0(a):
    if a: return 0
    return a


def f1(a):
    if a: return 1
    return a


def f2(a):
    if a: return 2
    return a


def f3(a):
    if a: return 3
    return a


def f4(a):
    if a: return 4
    return a


def f5(a):
    if a: return 5
    return a


def f6(a):
    if a: return 6
    return a


def f7(a):
    if a: return 7
    return a


def f8(a):
    if a: return 8
    return a


def f9(a):
    if a: return 9
    return a


def f10(a):
    if a: return 10
    return a


def f11(a):
    if a: return 11
    return a


def f12(a):
    if a: return 12
    return a


def f13(a):
    if a: return 13
    return a


def f14(a):
    if a: return 14
    return a


def f15(a):
    if a: return 15
    return a


def f16(a):
    if a: return 16
    return a


def f17(a):
    if a: return 17
    return a


def f18(a):
    if a: return 18
    return a


def f19(a):
    if a: return 19
    return a


def f20(a):
    if a: return 20
    return a


def f21(a):
    if a: return 21
    return a


def f22(a):
    if a: return 22
    return a


def f23(a):
    if a: return 23
    return a


def f24(a):
    if a: return 24
    return a


def f25(a):
    if a: return 25
    return a


def f26(a):
    if a: return 26
    return a


def f27(a):
    if a: return 27
    return a


def f28(a):
    if a: return 28
    return a


def f29(a):
    if a: return 29
    return a


def f30(a):
    if a: return 30
    return a


def f31(a):
    if a: return 31
    return a


def f32(a):
    if a: return 32
    return a


def f33(a):
    if a: return 33
    return a


def f34(a):
    if a: return 34
    return a


def f35(a):
    if a: return 35
    return a


def f36(a):
    if a: return 36
    return a


def f37(a):
    if a: return 37
    return a


def f38(a):
    if a: return 38
    return a


def f39(a):
    if a: return 39
    return a


def f40(a):
    if a: return 40
    return a


def f41(a):
    if a: return 41
    return a


def f42(a):
    if a: return 42
    return a


def f43(a):
    if a: return 43
    return a


def f44(a):
    if a: return 44
    return a


def f45(a):
    if a: return 45
    return a


def f46(a):
    if a: return 46
    return a


def f47(a):
    if a: return 47
    return a


def f48(a):
    if a: return 48
    return a


def f49(a):
    if a: return 49
    return a


def f50(a):
    if a: return 50
    return a


def f51(a):
    if a: return 51
    return a


def f52(a):
    if a: return 52
    return a


def f53(a):
    if a: return 53
    return a


def f54(a):
    if a: return 54
    return a


def f55(a):
    if a: return 55
    return a


def f56(a):
    if a: return 56
    return a


def f57(a):
    if a: return 57
    return a


def f58(a):
    if a: return 58
    return a


def f59(a):
    if a: return 59
    return a


def g(): return 1


print(f3(1), f20(0), f59(1), g())
