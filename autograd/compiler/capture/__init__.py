"""What a recording captures, so that a call notices when something else has been put in its place.

A recording captures what the function reaches from its closure, its defaults, its ``self`` and the globals that its code
names, through the items of containers and the attributes that code names (all attributes, where it has ``getattr`` or
``vars``). A call that finds another Value there, or a number or anything else that differs, records the function anew.

    scale = 2.0
    loss = compile(lambda x: model.w * x * scale)

Here ``scale``, ``model`` and ``model.w`` are captured, and ``model.name`` is not. ``walk`` finds them, with the help of
``origin``, which knows the names in code. ``watch`` compares them in each call. Only if it finds a difference, ``captured``
walks again and says which place has changed; ``sameness`` says what counts as a change.

Not looked at are the globals of installed packages (Python's, this one, ``nn``, and those in ``site-packages``), arrays that
are read-only, the internal state of C code, and what the function itself changes each time that it runs, such as a counter.
"""

from autograd.compiler.capture.captured import Captured, Change

__all__ = ["Captured", "Change"]
