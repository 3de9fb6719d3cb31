"""What runs inside the sandbox: the tests in one process, the answer in another one.

A program, not a package: it takes the standard library and its own folder only. The answer's
process executes the answer and does as it is asked: calls a function, gives an attribute. The
tests' process executes the tests, in which the answer's names stand for such requests. It alone
knows the token that attests a verdict, and it sees of an answer nothing but plain values.
"""

from __future__ import annotations

import ast
import builtins
import json
import operator
import os
import random
import struct
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import confinement  # pyright: ignore[reportMissingImports]
import values  # pyright: ignore[reportMissingImports]

_MOST_BYTES = 2**23
"""Of one message."""
_SAID = 300
"""Characters of an error that are kept."""
_REQUESTS: dict[str, Callable[..., Any]] = {
    "call": lambda function, *arguments, **named: function(*arguments, **named),
    "getattr": getattr,
    "setattr": setattr,
    "iter": iter,
    "next": next,
    "len": len,
    "str": str,
    "getitem": operator.getitem,
}
_CHANGED_IN_PLACE = (list, dict, set)


class AnswerGoneError(BaseException):
    """The answer's process has ended, or says what no such process says.

    No `Exception`, so that tests which expect one do not take it for theirs.
    """


class Line:
    """One end of the connection between the two processes."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    def send(self, message: bytes) -> None:
        """Send a message."""
        left = memoryview(struct.pack("!I", len(message)) + message)
        while left:
            left = left[os.write(self._writing, left) :]

    def receive(self) -> bytes:
        """Return the next message.

        Raises:
            EOFError: the other end is closed, or the message is too long.
        """
        (size,) = struct.unpack("!I", self._exactly(4))
        if size > _MOST_BYTES:
            raise EOFError
        return self._exactly(size)

    def close(self) -> None:
        """Close this end."""
        os.close(self._reading)
        os.close(self._writing)

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            parts.append(os.read(self._reading, size))
            if not parts[-1]:
                raise EOFError
            size -= len(parts[-1])
        return b"".join(parts)


class Remote:
    """Something of the answer's: whatever is done with it is done in the answer's process.

    It is equal to itself alone.
    """

    def __init__(self, number: int, ask: Callable[..., Any]) -> None:
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_ask", ask)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._ask("call", self, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", self, name, value)

    def __iter__(self) -> Any:
        return self._ask("iter", self)

    def __next__(self) -> Any:
        return self._ask("next", self)

    def __len__(self) -> int:
        return self._ask("len", self)

    def __str__(self) -> str:
        return self._ask("str", self)

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", self, key)


class Answer:
    """The answer, as the tests' process sees it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._known: dict[int, Remote] = {}

    def run(self, before: str, source: str) -> None:
        """Execute the answer behind the beginning that it repeats or goes on with."""
        self._line.send(json.dumps([before, source]).encode())
        self._reply()

    def named(self, name: str) -> Any:
        """Return what stands for a name of the answer's.

        Raises:
            NameError: the answer does not define it.
        """
        return self._ask("name", name)

    def _ask(self, request: str, *arguments: Any, **named: Any) -> Any:
        asked = [request, list(arguments), named]
        try:
            self._line.send(values.write(asked, self._number_of))
        except OSError:
            raise AnswerGoneError from None
        result, after = self._reply()
        for before, now in zip(arguments, after, strict=False):
            if type(before) is not type(now) or before == now:
                continue
            if isinstance(before, list):
                before[:] = now
            elif isinstance(before, dict | set):
                before.clear()
                before.update(now)
        return result

    def _reply(self) -> tuple[Any, list[Any]]:
        try:
            reply = values.read(self._line.receive(), self._remote)
            if isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], list):
                return reply[0], reply[1]
            kind, said = reply
            kind, said = str(kind), str(said)[:_SAID]
        except Exception:
            raise AnswerGoneError from None
        raised = getattr(builtins, kind, None)
        if not (isinstance(raised, type) and issubclass(raised, Exception)):
            raised = Exception
        if raised in (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError):
            raised = ValueError
        raise raised(said)

    def _remote(self, number: int) -> Remote:
        return self._known.setdefault(number, Remote(number, self._ask))

    @staticmethod
    def _number_of(value: Any) -> int:
        if isinstance(value, Remote):
            return object.__getattribute__(value, "_number")
        raise TypeError(f"tests cannot hand a {type(value).__name__} to an answer")


def serve_answer(line: Line) -> None:
    """Execute an answer, and do as the tests ask, until they ask no more."""
    namespace: dict[str, Any] = {"__name__": "answer", "__builtins__": builtins}
    kept: list[Any] = []
    numbers: dict[int, int] = {}  # by the id of an object that is kept, so that it is no other's

    def number_of(value: Any) -> int:
        number = numbers.setdefault(id(value), len(kept))
        if number == len(kept):
            kept.append(value)
        return number

    def name(wanted: str) -> Any:
        if wanted not in namespace:
            raise NameError(f"name {wanted!r} is not defined")
        return namespace[wanted]

    def reply(work: Callable[[], tuple[Any, list[Any]]]) -> None:
        try:
            said: Any = [*work()]
            message = values.write(said, number_of)
        except BaseException as error:
            said = (type(error).__name__, str(error)[:_SAID])
            message = values.write(said, number_of)
        line.send(message)

    def execute(before: str, source: str) -> tuple[None, list[Any]]:
        for part in _parts(before, source):
            exec(compile(part, "<answer>", "exec"), namespace)
        return None, []

    def do(message: bytes) -> tuple[Any, list[Any]]:
        request, arguments, named = values.read(message, kept.__getitem__)
        if request == "name":
            return name(*arguments), []
        result = _REQUESTS[request](*arguments, **named)
        after = [one if isinstance(one, _CHANGED_IN_PLACE) else None for one in arguments]
        return result, after

    random.seed(0)
    before, source = json.loads(line.receive())
    reply(lambda: execute(before, source))
    while True:
        message = line.receive()
        reply(lambda message=message: do(message))


def _parts(before: str, source: str) -> list[str]:
    """Return what is executed: an answer that is a program by itself does not go on with one."""
    try:
        ast.parse(source)
    except SyntaxError:
        return [f"{before}\n{source}"]
    return [before, source]


def judge(line: Line, job: dict[str, Any]) -> str:
    """Execute the tests; return `passed`, or why they do not."""
    answer = Answer(line)
    try:
        answer.run(job["before"], job["answer"])
        _test(answer, job)
    except AssertionError as error:
        return f"failed: {error}"
    except MemoryError:
        return "memory"
    except AnswerGoneError:
        return "gone"
    except BaseException as error:
        return f"failed: {type(error).__name__}: {error}"
    return "passed"


def _test(answer: Answer, job: dict[str, Any]) -> None:
    """Execute what stands before the tests, and the tests, with the answer's names in them."""
    namespace: dict[str, Any] = {"__name__": "tests"}
    if job["before"]:
        exec(compile(job["before"], "<before>", "exec"), namespace)
    parts = [job["setup"], *job["tests"]]
    for name in _free_names(parts) - namespace.keys():
        known = name in sys.stdlib_module_names
        namespace[name] = __import__(name) if known else answer.named(name)
    entry_point = job["entry_point"]
    if entry_point:
        namespace[entry_point] = answer.named(entry_point)
    for part in parts:
        exec(compile(part, "<tests>", "exec"), namespace)
    if entry_point and callable(check := namespace.get("check")) and not isinstance(check, Remote):
        check(namespace[entry_point])


def _free_names(sources: list[str]) -> set[str]:
    """Return the names that tests use and nobody but the answer defines."""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    made = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    made |= {n.name for n in nodes if isinstance(n, ast.ExceptHandler) and n.name}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return used - made - {*dir(builtins)}


def main() -> None:
    """Confine this process, split it in two, and write the verdict behind the token."""
    settings = json.loads(sys.argv[1])
    sys.path.pop(0)
    try:
        child, line = _confined(settings)
    except Exception as error:
        why = str(error) or type(error).__name__
        os.write(1, f"no sandbox: {why}".encode("utf-8", "replace"))
        os._exit(1)
    job = json.load(sys.stdin)
    verdict = os.dup(1)
    _lead_nowhere()
    outcome = judge(line, job)
    if outcome == "gone":
        line.close()  # which ends an answer that waits for more
        used = os.wait4(child, 0)[2]
        is_late = used.ru_utime + used.ru_stime >= 0.9 * settings["seconds"]
        outcome = "deadline" if is_late else "failed: the answer ended its process"
    os.write(verdict, f"{job['token']} {outcome[:_SAID]}".encode("utf-8", "replace"))
    os._exit(0)


def _confined(settings: dict[str, Any]) -> tuple[int, Line]:
    """Return the answer's process and the connection to it, both sides of it confined.

    Raises:
        RefusedError, OSError, ValueError, EOFError: a step of it is refused.
    """
    if settings["namespaces"]:
        confinement.enter_namespaces(settings["folder"], settings["file_bytes"])
    confinement.die_with_parent(settings["parent"])
    confinement.limit(*(settings[n] for n in ("seconds", "memory_bytes", "file_bytes", "files")))
    confinement.hide_memory()
    if settings["namespaces"]:
        confinement.become_first_process()
    to_answer, to_tests = os.pipe(), os.pipe()
    tests = os.getpid()
    if (child := os.fork()) == 0:
        for unused in (to_answer[1], to_tests[0]):
            os.close(unused)
        _be_the_answer(settings, tests, Line(to_answer[0], to_tests[1]))
    for unused in (to_answer[0], to_tests[1]):
        os.close(unused)
    line = Line(to_tests[0], to_answer[1])
    _give_up(settings)
    if refused := line.receive():
        raise confinement.RefusedError(refused.decode("utf-8", "replace"))
    return child, line


def _be_the_answer(settings: dict[str, Any], tests: int, line: Line) -> NoReturn:
    """Serve the answer once confined; say first why not, or nothing, before any of it runs."""
    try:
        refused = ""
        try:
            confinement.die_with_parent(tests)
            _lead_nowhere()
            _give_up(settings)
        except Exception as error:
            refused = str(error) or type(error).__name__
        line.send(refused.encode("utf-8", "replace"))
        if not refused:
            serve_answer(line)
    finally:
        os._exit(0)


def _give_up(settings: dict[str, Any]) -> None:
    """Give up what this process needs no more; within limits alone, a filter may be refused."""
    confinement.allow_no_process()
    confinement.drop_capabilities()
    try:
        confinement.refuse_calls()
    except confinement.RefusedError:
        if settings["namespaces"]:
            raise


def _lead_nowhere() -> None:
    """Let standard input, output and errors lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


if __name__ == "__main__":
    main()
