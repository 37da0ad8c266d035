1
"text"
...
None
(1,
 2)
[len("a")]
x = 1
x
x + 1
(x
 + 2)
-x
lambda: x
if x:
    "text"
else:
    1
