# SPDX-License-Identifier: Apache-2.0
"""Rays against spheres: small classes, methods, operators, properties and polymorphic calls."""

from __future__ import annotations

import clock


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x: float, y: float, z: float) -> None:
        self.x = x
        self.y = y
        self.z = z

    def __add__(self, other: Vector) -> Vector:
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other: Vector) -> Vector:
        return Vector(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, factor: float) -> Vector:
        return Vector(self.x * factor, self.y * factor, self.z * factor)

    def dot(self, other: Vector) -> float:
        return self.x * other.x + self.y * other.y + self.z * other.z

    @property
    def length(self) -> float:
        return self.dot(self) ** 0.5

    def unit(self) -> Vector:
        return self * (1 / self.length)


class Shape:
    def __init__(self, shade: float) -> None:
        self.shade = shade

    def hit(self, start: Vector, way: Vector) -> float | None:
        raise NotImplementedError

    def normal(self, point: Vector) -> Vector:
        raise NotImplementedError


class Sphere(Shape):
    def __init__(self, centre: Vector, radius: float, shade: float) -> None:
        super().__init__(shade)
        self.centre = centre
        self.radius = radius

    def hit(self, start: Vector, way: Vector) -> float | None:
        to_centre = self.centre - start
        along = to_centre.dot(way)
        rest = self.radius**2 - to_centre.dot(to_centre) + along * along
        if rest < 0:
            return None
        distance = along - rest**0.5
        return distance if distance > 1e-6 else None

    def normal(self, point: Vector) -> Vector:
        return (point - self.centre).unit()


class Floor(Shape):
    def hit(self, start: Vector, way: Vector) -> float | None:
        if abs(way.y) < 1e-9:
            return None
        distance = -start.y / way.y
        return distance if distance > 1e-6 else None

    def normal(self, point: Vector) -> Vector:
        return Vector(0.0, 1.0, 0.0)


class Scene:
    def __init__(self, shapes: list[Shape], light: Vector) -> None:
        self.shapes = shapes
        self.light = light

    def nearest(self, start: Vector, way: Vector) -> tuple[float, Shape] | None:
        best = None
        for shape in self.shapes:
            distance = shape.hit(start, way)
            if distance is not None and (best is None or distance < best[0]):
                best = distance, shape
        return best

    def colour(self, start: Vector, way: Vector, depth: int = 0) -> float:
        found = self.nearest(start, way)
        if found is None:
            return 0.1
        distance, shape = found
        point = start + way * distance
        normal = shape.normal(point)
        to_light = (self.light - point).unit()
        if self.nearest(point, to_light) is not None:
            direct = 0.0
        else:
            direct = max(0.0, normal.dot(to_light))
        if depth < 2:
            mirrored = way - normal * (2 * way.dot(normal))
            return shape.shade * direct + 0.3 * self.colour(point, mirrored.unit(), depth + 1)
        return shape.shade * direct


def unit() -> str:
    shapes: list[Shape] = [Floor(0.5)]
    shapes += [Sphere(Vector(i - 1.5, 0.5, 4.0 + i), 0.5, 0.9) for i in range(4)]
    scene = Scene(shapes, Vector(3.0, 5.0, -2.0))
    eye = Vector(0.0, 1.0, -1.0)
    total = 0.0
    for row in range(10):
        for column in range(10):
            way = Vector((column - 5) / 5, (5 - row) / 5, 2.0).unit()
            total += scene.colour(eye, way)
    return f"{total:.9f}"


if __name__ == "__main__":
    clock.run(unit)
