import ast

text = '''
def g(n):
    if n:
        return "tree"
    return "none"
'''
tree = ast.parse(text)
space = {}
exec(compile(tree, "<tree>", "exec"), space)
print(space["g"](1))


class Doubler(ast.NodeTransformer):
    def visit_Constant(self, node):
        if isinstance(node.value, str):
            return ast.copy_location(ast.Constant(node.value * 2), node)
        return node


exec(compile(Doubler().visit(tree), "<tree>", "exec"), space)
print(space["g"](0))
