"""The bench over Alpaca: camera 0, focuser 0, the management API, and the truth under /simulator."""

from __future__ import annotations

import contextlib
import html
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any, Self

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from autofocus.errors import DeviceError
from simulators.alpaca_camera import AlpacaCameraDevice
from simulators.alpaca_focuser import AlpacaFocuserDevice
from simulators.alpaca_image import error_bytes, image_bytes, json_image
from simulators.alpaca_protocol import MANUFACTURER, VERSION, AlpacaError, BadRequest, Device, Parameters, reply
from simulators.bench import Bench
from simulators.discovery import Responder

IMAGE_BYTES = "application/imagebytes"
LONGEST_BODY = 65536
# Longer than any client keeps an idle connection: closing one just as it is used again would look like a lost server.
KEEP_ALIVE_S = 75


class AlpacaApplication:
    """One bench as an ASGI application (``asgi``); ``devices`` by kind, each number 0."""

    def __init__(self, bench: Bench, middleware: Sequence[Middleware] = ()) -> None:
        self.bench = bench
        self.camera = AlpacaCameraDevice(bench)
        self.focuser = AlpacaFocuserDevice(bench)
        self.devices: dict[str, Device] = {device.kind: device for device in (self.camera, self.focuser)}
        self.asgi = Starlette(
            routes=[
                Route("/api/v1/{kind}/{number}/{member}", self._device, methods=["GET", "PUT"]),
                Route("/management/apiversions", self._api_versions),
                Route("/management/v1/description", self._description),
                Route("/management/v1/configureddevices", self._configured_devices),
                Route("/setup", self._setup),
                Route("/setup/v1/{kind}/{number}/setup", self._device_setup),
                Route("/simulator/v1/truth", self._truth),
                Route("/{anything:path}", _unknown, methods=["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]),
            ],
            middleware=middleware,
        )

    async def _device(self, request: Request) -> Response:
        put = request.method == "PUT"
        try:
            given = await _parameters(request)
            device = self._find(request)
        except BadRequest as cause:
            return PlainTextResponse(str(cause), 400)
        member = request.path_params["member"]
        try:
            if put:
                device.put(member, given)
                return JSONResponse(reply(given.client_transaction, method=True))
            if device is self.camera and member in {"imagearray", "imagearrayvariant"}:
                return await anyio.to_thread.run_sync(
                    self._image, request.headers.get("accept", ""), member, given.client_transaction
                )
            return JSONResponse(reply(given.client_transaction, device.get(member)))
        except AlpacaError as cause:
            return JSONResponse(reply(given.client_transaction, error=cause))
        except BadRequest as cause:
            return PlainTextResponse(str(cause), 400)

    def _find(self, request: Request) -> Device:
        kind, number = request.path_params["kind"], request.path_params["number"]
        if request.method not in {"GET", "PUT"}:
            raise BadRequest(f"{request.method} is not used by Alpaca")
        if kind not in self.devices or number != "0":
            raise BadRequest(f"there is no device {kind} {number} here: camera 0 and focuser 0")
        return self.devices[kind]

    def _image(self, accept: str, member: str, client_transaction: int) -> Response:
        in_bytes = member == "imagearray" and IMAGE_BYTES in accept.lower() and self.bench.options.imagebytes
        try:
            image = self.camera.gets["imagearray"]()
        except AlpacaError as cause:
            if not in_bytes:
                raise
            return Response(error_bytes(cause, client_transaction), media_type=IMAGE_BYTES)
        if in_bytes:
            return Response(image_bytes(image, client_transaction), media_type=IMAGE_BYTES)
        body = reply(client_transaction)
        body.update(json_image(image))
        return JSONResponse(body)

    async def _api_versions(self, request: Request) -> Response:
        return await _management(request, [1])

    async def _description(self, request: Request) -> Response:
        own = self.bench.instrument
        about = {
            "ServerName": f"autofocus bench ({own.name})",
            "Manufacturer": MANUFACTURER,
            "ManufacturerVersion": VERSION,
            "Location": "simulated",
        }
        return await _management(request, about)

    async def _configured_devices(self, request: Request) -> Response:
        configured = [
            {
                "DeviceName": device.name,
                "DeviceType": device.kind.capitalize(),
                "DeviceNumber": 0,
                "UniqueID": device.unique_id,
            }
            for device in self.devices.values()
        ]
        return await _management(request, configured)

    async def _setup(self, _: Request) -> Response:
        about = html.escape(self.bench.instrument.description)
        head = f"<!DOCTYPE html><title>autofocus bench</title><p>{MANUFACTURER} bench, version {VERSION}: {about}."
        return HTMLResponse(f"{head} There is nothing to set here.")

    async def _device_setup(self, request: Request) -> Response:
        try:
            name = html.escape(self._find(request).name)
        except BadRequest as cause:
            return HTMLResponse(f"<!DOCTYPE html><title>no such device</title><p>{html.escape(str(cause))}", 403)
        return HTMLResponse(
            f"<!DOCTYPE html><title>{name}</title><p>{name} is set up by the options of autofocus simulate."
        )

    async def _truth(self, request: Request) -> Response:
        try:
            exposure_s = float(request.query_params.get("exposure_s", "10"))
        except ValueError:
            return PlainTextResponse("exposure_s must be a number", 400)
        if not 0.0 < exposure_s < 1e6:
            return PlainTextResponse("exposure_s must be positive", 400)
        return JSONResponse(await anyio.to_thread.run_sync(truth_object, self.bench, exposure_s))


def truth_object(bench: Bench, exposure_s: float = 10.0) -> dict[str, Any]:
    """Where focus is, where the focuser stands, what both curves say there: for tests, never for the engine."""
    now = bench.now()
    tube = bench.focuser.tube(now)
    return {
        "instrument": bench.instrument.name,
        "seed": bench.seed,
        "optima": {objective: bench.truth(objective, exposure_s=exposure_s) for objective in ("fwhm", "nsig", "snr")},
        "exposure_s": exposure_s,
        "position": bench.focuser.position(now),
        "start_position": bench.focuser.position(0.0),
        "tube": tube,
        "is_moving": bench.focuser.is_moving(now),
        "backlash_steps": bench.options.backlash_steps,
        "fwhm_px": bench.fwhm_px(tube),
        "nsig": bench.nsig(tube),
        "exposures": bench.exposures,
        "plate_scale_arcsec_per_px": bench.instrument.plate_scale_arcsec_per_px,
        "bench_s": now,
    }


async def _parameters(request: Request) -> Parameters:
    if request.method == "GET":
        return Parameters(request.url.query, any_case=True)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise BadRequest("the body is too long")
    try:
        return Parameters(body.decode("utf-8"), any_case=False)
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None


async def _management(request: Request, value: Any) -> Response:
    try:
        given = await _parameters(request)
    except BadRequest as cause:
        return PlainTextResponse(str(cause), 400)
    return JSONResponse(
        {"Value": value}
        | {key: item for key, item in reply(given.client_transaction).items() if key.endswith("TransactionID")}
    )


async def _unknown(request: Request) -> Response:
    return PlainTextResponse(f"there is nothing at {request.url.path[:200]}", 400)


class BenchServer:
    """A bench being served; a context manager that stops it."""

    def __init__(
        self,
        bench: Bench,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        discovery_port: int | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self.application = AlpacaApplication(bench, middleware)
        self._socket = listening_socket(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            self.application.asgi,
            log_level="warning",
            lifespan="off",
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.timeout_graceful_shutdown = 1
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self._discovery_port = discovery_port
        self._responder: Responder | None = None

    @property
    def address(self) -> str:
        """host:port, as scope.yaml takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def truth_address(self) -> str:
        """Where /simulator/v1/truth is answered whatever happens."""
        return self.address

    @property
    def discoverable(self) -> bool:
        """Whether discovery is answered: not unless asked for, nor while another program holds the port for itself."""
        return self._responder is not None

    def start(self) -> Self:
        """Serve in a thread of its own; connections are accepted from now on."""
        self._thread = threading.Thread(target=self._serve, name="bench server", daemon=True)
        self._thread.start()
        if self._discovery_port is not None:
            with contextlib.suppress(OSError):
                self._responder = Responder(self.host, self.port, self._discovery_port).__enter__()
        return self

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End serving and wait until it has ended."""
        if self._responder is not None:
            self._responder.__exit__()
            self._responder = None
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=5.0)
        self._socket.close()

    def __enter__(self) -> Self:
        return self if self._thread else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def listening_socket(host: str, port: int) -> socket.socket:
    """Build a socket that listens; `DeviceError` says that the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, for only then asyncio sets TCP_NODELAY; without it each answer waits 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":  # there it would let another program take the port over
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as cause:
        listening.close()
        raise DeviceError(
            f"the bench cannot listen on {host}:{port}: {cause.strerror}; choose another --port",
            device="bench",
            operation="listen",
        ) from cause
    listening.listen(64)
    return listening


def start(bench: Bench, host: str = "127.0.0.1", port: int = 0, **options: Any) -> BenchServer:
    """Serve a bench in a thread; its ``address`` answers when this returns, ``stop()`` ends it."""
    return BenchServer(bench, host, port, **options).start()
