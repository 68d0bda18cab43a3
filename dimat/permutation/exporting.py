"""A model's forward pass as one graph of ATen operations, by `torch.export`.

Some ways of writing a model stop the export or hide what is computed: masks that are looked at, sequences packed by their
lengths, parts under `no_grad`. They are put aside here, so that the rules see plain operations. The graph is for reading
only; the self-test runs the model itself.
"""

import copy
import logging
import operator
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import transformer
from torch.nn.utils import rnn

from dimat.errors import first_line

ONE_AT_A_TIME = Lock()
"""While a model is exported, functions of torch are replaced, and another default dtype holds while it is tested: two at a time would
not put the right ones back."""
LOGGERS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "torch.export._trace")
ON_META = "it is on the device `meta`, and these inputs are not; give inputs that are, too (`x.to('meta')`)"
BY_VALUES = "what it computes depends on values of its inputs, as by an `if` on a tensor"
IN_PLAIN_WORDS: Mapping[str, str] = {
    "data-dependent": BY_VALUES,
    "fake tensor in the exported program": "its forward pass does what no graph can say, as to compute gradients (`torch.autograd.grad`) or to "
    "change the `data` of a weight",
    ".numpy() is not supported": "its forward pass leaves torch for numpy",
    "two devices, meta and": ON_META,
    " and meta!": ON_META,
}
"""By a part of what `torch.export` says, which is meant for those who write it."""
REGIONS = ("wrap_with_set_grad_enabled", "wrap_with_autocast")


class NotTraceable(Exception):
    """The model cannot be written as one graph of tensor operations."""


def exported(model: nn.Module, example_inputs: tuple[Any, ...]) -> Any:
    """The program of a forward pass in evaluation mode, without operations that lead nowhere.

    Raises:
        NotTraceable: with why, in words for whoever wrote the model.
    """
    # Imported here: it takes seconds, and models that are plain chains do without.
    from torch.export import export

    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise NotTraceable("it was compiled by `torch.jit`; give the module that it was made of")
    double = copied(model).eval()  # export touches the modules of recurrent layers
    for param in double.parameters():
        if param.is_floating_point():
            param.requires_grad_(True)  # without, attention takes a fused path that hides what it does
    try:
        with ONE_AT_A_TIME, warnings.catch_warnings(), _quiet(), torch.enable_grad(), _replaced_for(double):
            warnings.simplefilter("ignore")
            forward = double.forward
            double.forward = lambda *args: list(tensors_in(forward(*args)))
            program = export(double, example_inputs, strict=False)
        _inline(program.graph_module)
        program.graph.eliminate_dead_code()
        _check_sizes(program.graph)
    except Exception as error:  # it raises errors of many kinds for one thing: this model has no graph
        raise NotTraceable(_said(error)) from error
    return program


def tensors_in(found: Any) -> Iterator[Tensor]:
    """All tensors that a forward pass gave, in a structure of any kind."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, Mapping):
        for one in found.values():
            yield from tensors_in(one)
    elif isinstance(found, (list, tuple)):
        for one in found:
            yield from tensors_in(one)
    elif is_dataclass(found):
        for part in fields(found):
            yield from tensors_in(getattr(found, part.name))


def copied(model: nn.Module) -> nn.Module:
    """A deep copy, of models too that keep a tensor computed from params (`nn.utils.weight_norm`)."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for kept in vars(module).values():
            if isinstance(kept, Tensor) and not kept.is_leaf:
                memo[id(kept)] = kept.detach().clone()
    own = copy.deepcopy(model, memo)
    # What was compiled is run as it was written: to compile it anew for every new dtype and mode takes long and prints warnings.
    # While another thread loads the compiler, it is there in part, and nothing can have been compiled.
    compiled: Any = getattr(sys.modules.get("torch._dynamo"), "OptimizedModule", ())
    for module in own.modules():
        if isinstance(module, compiled):
            module.forward = module._orig_mod.__call__
    return own


def _check_sizes(graph: Any) -> None:
    """Raises: NotTraceable: a size that only the values of the inputs tell, as behind `x[x > 0]`."""
    for node in graph.nodes:
        found = node.meta.get("val")
        for one in found if isinstance(found, (list, tuple)) else [found]:
            if isinstance(one, Tensor) and not all(isinstance(n, int) for n in one.shape):
                raise NotTraceable("how large a tensor is depends on values of its inputs")


def _said(error: Exception) -> str:
    first = first_line(error)
    if "GuardOnDataDependent" in type(error).__name__:
        first = "data-dependent"
    return next((words for part, words in IN_PLAIN_WORDS.items() if part in first), first)


@contextmanager
def _quiet() -> Iterator[None]:
    """What an export logs, or prints, of a model that fails, its caller is told by an error. In this thread only."""
    from torch.export import _trace

    mine = get_ident()

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.thread != mine

    loggers = [logging.getLogger(name) for name in LOGGERS]
    vars(_trace).setdefault("print", print)
    for logger in loggers:
        logger.addFilter(is_of_others)
    try:
        with _replaced(_trace, "print", lambda _: lambda *args, **named: None):
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_others)


@contextmanager
def _replaced_for(model: nn.Module) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(_masks_unread())
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            stack.enter_context(_sequences_padded())
        yield


@contextmanager
def _masks_unread() -> Iterator[None]:
    """Transformers of torch look whether a mask is the causal one, which no graph can say, to take a faster path to the
    same values. Meanwhile they are told that it is not."""
    with _replaced(
        transformer, "_detect_is_causal_mask", lambda _: lambda mask, is_causal=None, size=None: False
    ):
        yield


@contextmanager
def _sequences_padded() -> Iterator[None]:
    """How long packed sequences are, no graph can say. Meanwhile packing leaves the padded rows: other values, with axes of
    the same meaning."""

    def padded(forward: Any) -> Callable[..., Any]:
        def run(self: nn.RNNBase, given: Any, hx: Any = None) -> Any:
            if not isinstance(given, rnn.PackedSequence):
                return forward(self, given, hx)
            rows = given.data.transpose(0, 1) if self.batch_first else given.data
            found, last = forward(self, rows, hx)
            found = found.transpose(0, 1) if self.batch_first else found
            return rnn.PackedSequence(found, *given[1:]), last

        return run

    def pack(_: Any) -> Callable[..., Any]:
        return lambda rows, lengths, batch_first: (rows.transpose(0, 1) if batch_first else rows, lengths)

    def unpack(_: Any) -> Callable[..., Any]:
        return lambda rows, lengths, batch_first, *_: (
            rows.transpose(0, 1) if batch_first else rows,
            lengths,
        )

    with ExitStack() as stack:
        for kind in (nn.LSTM, nn.GRU, nn.RNN):
            stack.enter_context(_replaced(kind, "forward", padded))
        stack.enter_context(_replaced(torch._VF, "_pack_padded_sequence", pack))
        stack.enter_context(_replaced(torch._VF, "_pad_packed_sequence", unpack))
        yield


@contextmanager
def _replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """In this thread only: others use the same functions of torch meanwhile, as to train."""
    before = getattr(owner, name)
    other, mine = make(before), get_ident()

    def chosen(*args: Any, **named: Any) -> Any:
        return (other if get_ident() == mine else before)(*args, **named)

    setattr(owner, name, chosen)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _inline(module: Any) -> None:
    """Puts what a region (`no_grad`, autocast) computes in its place."""
    graph = module.graph
    for node in list(graph.nodes):
        if getattr(node.target, "__name__", "") not in REGIONS:
            continue
        at = next(i for i, arg in enumerate(node.args) if getattr(arg, "op", "") == "get_attr")
        part = getattr(module, node.args[at].target)
        _inline(part)
        outside = (one for one in part.graph.nodes if one.op == "placeholder")
        with graph.inserting_before(node):
            results = graph.graph_copy(part.graph, dict(zip(outside, node.args[at + 1 :], strict=True)))
        for user in list(node.users):
            assert user.target is operator.getitem, user.target
            user.replace_all_uses_with(results[user.args[1]])
            graph.erase_node(user)
        graph.erase_node(node)
