import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { cutUnreadAnswers } from './unread-answers.hook';

/** More than the buffers of the system take. */
const LARGE = Buffer.alloc(32 * 1_048_576);

let server: Server;
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  const hook = cutUnreadAnswers(100);
  server = createServer((_request, response) => {
    hook({} as FastifyRequest, { raw: response } as FastifyReply);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function ask(): Socket {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined).write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return socket;
}

const cut = (response: ServerResponse) => new Promise<void>((resolve) => response.once('close', () => resolve()));

it('an answer that nobody takes is cut, and so its memory is free', async () => {
  const closed = new Promise<void>((resolve) => {
    answer = (response) => {
      void cut(response).then(resolve);
      response.end(LARGE);
    };
  });
  const socket = ask().pause();
  await closed;
  socket.destroy();
});

it('one that is taken slowly comes to its end', async () => {
  answer = (response) => void response.setHeader('content-length', LARGE.length).end(LARGE);
  const socket = ask();
  let length = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    // Ten pauses, each shorter than what is taken for the end, all of them longer.
    if (Math.floor(length / 3_200_000) < Math.floor((length + part.length) / 3_200_000)) await pause(30);
    length += part.length;
    if (length > LARGE.length) break;
  }
  expect(length).toBeGreaterThan(LARGE.length);
});

it('one that is still made may take as long as it wants', async () => {
  let finish: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    answer = (response) => {
      response.write('first');
      finish = () => response.end('last');
      resolve();
    };
  });
  const socket = ask();
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  await asked;
  await pause(300); // three times as long as nobody may take anything
  finish();
  await new Promise<void>((resolve) => socket.on('data', () => text.includes('last') && resolve()));
  socket.destroy();
});
