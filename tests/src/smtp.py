import asyncio
import json
import sys

from aiosmtpd.smtp import SMTP

behaviour = sys.argv[1]


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if behaviour == "Refuse":
            return "550 5.1.1 nobody here"
        if behaviour == "Defer":
            return "451 4.3.0 later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        print(json.dumps(envelope.content.decode()), flush=True)
        if behaviour == "Vanish":
            server.transport.abort()
        return "250 2.0.0 OK"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler()), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test that started it, whatever becomes of that.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
