#!/usr/bin/python3
"""A policy store for the smoke tests, after docs/policy-protocol.md: answers what nodes may do.

Shares no code with anchord. What it does with a node its identifier tells, up to the first dot or @;
every other node is served. Each question is written to standard output, one a line.

    none        it is none of ours                 wrong    answers a question that nobody asked
    error       no answer can be given             json     sends a line that is no JSON
    late        answers after --late seconds       huge     sends a line of 100,000 bytes
    never       does not answer                    twice    answers twice
    pool        names a pool that there is not     static   has a prefix of its own
"""

import argparse
import asyncio
import json
import os

ENTRY = {"max_lifetime": "10min", "prefixes": 2}
STATIC = {"static_prefixes": ["2001:db8:7777::/56"]}


def answer(question, **said):
    return json.dumps({"jsonrpc": "2.0", "id": question["id"], **said}) + "\n"


async def answer_to(question, late):
    """The lines that answer a question."""
    kind = question["params"]["mn_id"].partition("@")[0].partition(".")[0]
    if kind == "late":
        await asyncio.sleep(late)
    served = answer(question, result=ENTRY)
    return {
        "none": answer(question, result=None),
        "error": answer(question, error={"code": 1, "message": "the database is away"}),
        "never": "",
        "pool": answer(question, result={"pool": "nowhere"}),
        "wrong": answer({"id": question["id"] + 1000}, result=ENTRY),
        "json": '{"jsonrpc": "2.0", \n',
        "huge": answer(question, result={"pool": "x" * 100_000}),
        "twice": served * 2,
        "static": answer(question, result=STATIC),
    }.get(kind, served)


async def serve(reader, writer, late):
    answering = set()

    async def reply(question):
        writer.write((await answer_to(question, late)).encode())

    while line := await reader.readline():
        question = json.loads(line)
        print(json.dumps(question), flush=True)
        if question["method"] == "node.show":
            # Each in its own time: the others do not wait for the slow ones.
            task = asyncio.create_task(reply(question))
            answering.add(task)
            task.add_done_callback(answering.discard)


async def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("socket")
    p.add_argument("--late", type=float, default=0.6)
    a = p.parse_args()
    if os.path.exists(a.socket):
        os.unlink(a.socket)
    server = await asyncio.start_unix_server(lambda r, w: serve(r, w, a.late), a.socket)
    async with server:
        await server.serve_forever()


asyncio.run(main())
