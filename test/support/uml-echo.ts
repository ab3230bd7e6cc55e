/** A TCP server as a process: greets with NAME, says what it hears, and keeps connections open. `uml-echo.ts NAME PORT`. */
import { createServer } from 'node:net';

const [name = '', port = ''] = process.argv.slice(2);

createServer((socket) => {
  socket.on('error', () => undefined);
  socket.write(`${name}\n`);
  socket.pipe(socket);
}).listen(Number(port), '::', () => {
  process.stdout.write('ready\n');
});
