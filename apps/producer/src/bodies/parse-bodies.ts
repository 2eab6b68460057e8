import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MOST_ERRORS, refuse } from '../problems/read-body';
import { BodyBudget } from './body-budget';
import { inexactErrors } from './inexact-numbers';
import { readBytes } from './read-bytes';
import { LONG_BYTES, readJson, type Json } from './read-json';

const MIB = 1_048_576;
/** A payload of 1 MiB, and room for what stands around it: id, type, times, spaces. */
export const MOST_JSON_BYTES = MIB + 65_536;
/** Read line by line, each of which is JSON for itself. */
export const MOST_NDJSON_BYTES = 16 * MIB;

/** Of the lines of one body that are worked on at once. */
export const MOST_BYTES_UNDER_WAY = 2 * MIB;
/** What is read takes so many times the memory of its text, or more. */
const VALUES_PER_TEXT = 8;

/** What a route takes beside an object in JSON; in the config of a route. */
export interface RouteBody {
  /** `batch`: a list, in JSON or NDJSON, that is read item by item. `none`: it has nothing to say. */
  body?: 'batch' | 'none';
}

/** A list in JSON, read as a whole; nothing is put of one that is malformed anywhere. */
export class JsonList {
  constructor(readonly json: Json) {}
}

/** A list of lines, none of which is read yet. */
export class Ndjson {
  constructor(readonly bytes: Buffer) {}
}

/** JSON in UTF-8 without prototype poisoning and without numbers that would change, NDJSON for batches, and nothing else. */
export function parseBodies(fastify: FastifyInstance): void {
  const budget = new BodyBudget();
  fastify.addHook('onResponse', (request, _reply, done) => {
    budget.release(request);
    done();
  });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    const hold = (bytes: number) => budget.hold(request, bytes * VALUES_PER_TEXT);
    const bytes = await readBytes(payload, MOST_JSON_BYTES, hold);
    if (bytes.length === 0 && routeBodyOf(request) === 'none') return undefined;
    const json = await readJson(bytes);
    if (routeBodyOf(request) === 'batch') return new JsonList(json);
    if (json.hasInexact) refuse(await inexactErrors(json.text, MOST_ERRORS + 1));
    return json.value;
  });
  fastify.addContentTypeParser('application/x-ndjson', async (request: FastifyRequest, payload: IncomingMessage) => {
    const bytes = await readBytes(payload, MOST_NDJSON_BYTES, (grown) => budget.hold(request, grown));
    if (bytes.length > LONG_BYTES) budget.hold(request, Math.min(bytes.length, MOST_BYTES_UNDER_WAY) * VALUES_PER_TEXT);
    return new Ndjson(bytes);
  });
}

export function routeBodyOf(request: FastifyRequest): RouteBody['body'] {
  return (request.routeOptions.config as RouteBody).body;
}

/** Whether what is done with the body may take long. */
export function isLong({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return !(Number(headers['content-length']) <= LONG_BYTES);
}
