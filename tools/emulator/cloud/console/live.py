"""Server-sent events: the regions of one page, rendered anew at their pace and sent where they have changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.responses import StreamingResponse

from tools.emulator.cloud.console.page import Page, Refused, Region

if TYPE_CHECKING:
    from tools.emulator.cloud.console.visit import Visit

TICK = 0.1  # seconds: ten updates a second at most
QUIET = 15  # seconds after which a stream without news shows that it lives

page = Page("live")


@page.get("/events")
async def events(visit: Visit) -> StreamingResponse:
    """The news of the page that `page=` names, path and query."""
    parts = urlsplit(visit.query.get("page", ""))
    visit.path, visit.query = unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
    visit.names = visit.console.names_in(visit.path)
    regions = visit.console.regions_at(visit.path)
    return StreamingResponse(follow(visit, regions), media_type="text/event-stream")


async def follow(visit: Visit, regions: list[Region]) -> AsyncIterator[str]:
    """Yields an event with the regions that have changed, each tick at most one, until the console closes."""
    loop = asyncio.get_running_loop()
    sent: dict[str, str] = {}
    due = dict.fromkeys((one.name for one in regions), 0.0)
    spoken = loop.time()
    yield "retry: 1000\n\n"
    while not visit.console.closing:
        fresh = {}
        for one in regions:
            if loop.time() >= due[one.name]:
                due[one.name] = loop.time() + one.every
                html = await rendered(visit, one)
                if html != sent.get(one.name):
                    fresh[one.name] = html
                await asyncio.sleep(0)
        sent |= fresh
        if fresh or loop.time() - spoken > QUIET:
            spoken = loop.time()
            yield f"event: update\ndata: {json.dumps(fresh)}\n\n" if fresh else ": quiet\n\n"
        await asyncio.sleep(TICK)


async def rendered(visit: Visit, region: Region) -> str:
    try:
        return await visit.console.templates.render_region(visit, region)
    except Refused as refusal:  # what the page is about was deleted
        return visit.console.templates.environment.from_string("<p>{{ text }}</p>").render(text=refusal)
