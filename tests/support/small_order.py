"""Ed25519 points of small order, found by the curve's own arithmetic (RFC 8032 §5.1), not copied from a list."""

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def _add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P
    return x, y


def _times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _with_y(y: int) -> Point | None:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return x, y
    return None


def points_of_small_order() -> set[Point]:
    """All eight: what is left of any point once the large prime is multiplied away."""
    found = {IDENTITY}
    y = 2
    while len(found) < 8:
        point = _with_y(y)
        if point is not None:
            left = _times(ORDER, point)
            found |= {_times(multiple, left) for multiple in range(8)}
        y += 1
    return found


def keys_of_small_order() -> list[bytes]:
    """Every 32 bytes that a lenient reader takes for one of them: either sign, and y beyond the prime."""
    ys = {y for _, y in points_of_small_order()}
    ys |= {y + P for y in ys if y + P < 2**255}
    return [(y | sign << 255).to_bytes(32, "little") for y in sorted(ys) for sign in (0, 1)]
