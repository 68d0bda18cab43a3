"""Complex numbers and Fourier transforms: frequencies have an order, the axes beside them do not mind."""

from dimat.permutation.calls import Call, Outcome, broadcast, rule, stay
from dimat.permutation.terms import fixed, freeze

ORDER = "order along an axis"
PAIR = "real and imaginary part"


@rule(*(f"fft_{kind}{rank}" for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for rank in ("", "2", "n")),
      "fft_fftshift", "fft_ifftshift")  # fmt: skip
def transform(call: Call) -> Outcome:
    x, given = call.value(0), call.args.get("dim")
    if isinstance(given, int):
        axes = [given]
    elif given is not None:
        axes = [int(axis) for axis in given]
    else:
        sizes = call.args.get("s")
        axes = list(range(-len(sizes), 0)) if sizes else list(range(len(x)))
    return stay(call, x, axes, ORDER)


@rule("view_as_complex")
def view_as_complex(call: Call) -> Outcome:
    x = call.value(0)
    freeze(x[-1], PAIR)
    return x[:-1]


@rule("view_as_real")
def view_as_real(call: Call) -> Outcome:
    return (*call.value(0), fixed(2, PAIR))


@rule("real", "imag", "conj", "resolve_conj", "resolve_neg", "_conj", "conj_physical")
def same(call: Call) -> Outcome:
    return call.value(0)


@rule("polar", "complex")
def from_two(call: Call) -> Outcome:
    return broadcast([call.value(0), call.value(1)], call.shape)
