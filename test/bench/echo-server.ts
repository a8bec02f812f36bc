/** The ceiling: a bare node:http server that reads the body and answers with as many bytes as the shim. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveBench } from './server-process.js';

const replies: Readonly<Record<string, Buffer>> = Object.fromEntries(
  process.argv.slice(2).map((pair) => {
    const [type = '', size = '0'] = pair.split('=');
    return [type, Buffer.alloc(Number(size), 0x20)];
  }),
);

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const type = request.headers['content-type'] ?? '';
    const body = replies[type] ?? Buffer.concat(pieces);
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length });
    response.end(body);
  });
});
server.listen(0, '127.0.0.1', () => {
  serveBench((server.address() as AddressInfo).port, async () => {
    server.closeAllConnections();
    server.close();
  });
});
