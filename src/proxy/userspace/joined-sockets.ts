/**
 * Two sockets made one: bytes go across in both directions, each half is closed by itself, a reset stays a reset, and no more is
 * read than the other side takes. Handlers are shared by all sockets and find the other side on them: closures for each pair cost
 * a good part of the connections a relay can make in a second.
 */
import type { Socket } from 'node:net';

export interface JoinedSocket extends Socket {
  peer?: JoinedSocket;
}

/** Both must have been made with `allowHalfOpen`, and have handlers of errors. `onBroken` is told of pairs that end otherwise than by two FINs. */
export function join(a: JoinedSocket, b: JoinedSocket): void {
  a.peer = b;
  b.peer = a;
  for (const socket of [a, b]) {
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('close', onClose);
    // starts the flow, so it comes last
    socket.on('data', onData);
  }
}

function onData(this: JoinedSocket, chunk: Buffer): void {
  if (this.peer?.write(chunk) === false) this.pause();
}

function onDrain(this: JoinedSocket): void {
  this.peer?.resume();
}

function onEnd(this: JoinedSocket): void {
  this.peer?.end();
}

/** After two FINs the other side may still be sending what it was given; otherwise its peer must not take this for an end. */
function onClose(this: JoinedSocket): void {
  const { peer } = this;
  if (!peer || peer.destroyed || (this.readableEnded && this.writableFinished)) return;
  peer.resetAndDestroy();
}
