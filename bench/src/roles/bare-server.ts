import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import fastify from 'fastify';
import { HTTP_TASK_SCHEMA, type HTTP_TASK } from '../http-task';
import type { Target } from '../peers/peer';
import { play } from './child';

/** The limit of HTTP: Fastify with a JSON schema, and amqplib, and nothing else. */
play<Target, void>(async ({ rabbitUrl, queueName }, bench) => {
  const connection = await connect(rabbitUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const server = fastify();
  server.post<{ Body: typeof HTTP_TASK }>('/v1/tasks', { schema: { body: HTTP_TASK_SCHEMA } }, (request, reply) => {
    const { type, payload } = request.body;
    const id = randomUUID();
    const options = { persistent: true, mandatory: true, contentType: 'application/json', messageId: id, type };
    channel.sendToQueue(queueName, Buffer.from(JSON.stringify(payload)), options, (error: unknown) => {
      if (error) reply.status(503).send({ code: 'NOT_STORED' });
      else reply.status(202).send({ id, type, queue: queueName, state: 'queued' });
    });
  });
  bench.ready(await server.listen({ host: '127.0.0.1', port: 0 }));
  await bench.until('stop');
});
