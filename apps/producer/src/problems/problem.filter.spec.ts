import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  InternalServerErrorException,
  NotFoundException,
  PayloadTooLargeException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import {
  BrokerError,
  ConfigError,
  DeadLetterError,
  InvalidMessageError,
  MercuryError,
  PublishError,
} from '@mercury/messaging';
import { ProblemException, problemOf } from './problem';
import { problemFor } from './problem.filter';

describe('problemFor', () => {
  it.each([
    [new PublishError('returned', 'No queue took it.'), 'PUBLISH_RETURNED'],
    [new PublishError('nacked', 'The queue is full.'), 'PUBLISH_NACKED'],
    [new PublishError('not-sent', 'The broker is away.'), 'PUBLISH_NOT_SENT'],
  ])('answers 503 to a task that is not stored: %s', (error, code) => {
    expect(problemFor(error, 'order-4711')).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      code,
      detail: `Not stored: ${error.message}`,
    });
  });

  it('answers 503 with the id to one that may be stored', () => {
    const error = new PublishError('unknown', 'The confirm did not come.');
    expect(problemFor(error, 'order-4711')).toMatchObject({
      status: 503,
      code: 'PUBLISH_UNKNOWN',
      detail: 'The confirm did not come.',
      outcome: 'unknown',
      id: 'order-4711',
    });
    expect(problemFor(error)).not.toHaveProperty('id');
  });

  it.each([
    [new InvalidMessageError('TASK_INVALID', 'A task needs a type.'), 422],
    [new InvalidMessageError('EVENT_INVALID', 'The body must be a JSON object.'), 422],
    [new InvalidMessageError('TASK_TOO_LARGE', 'The body has 2 bytes; the limit is 1.'), 413],
    [new InvalidMessageError('EVENT_TOO_LARGE', 'The body has 2 bytes; the limit is 1.'), 413],
  ])('tells why a message is refused: %s', (error, status) => {
    expect(problemFor(error)).toMatchObject({ status, code: error.code, detail: error.message });
  });

  it.each([
    [new BadRequestException('Unexpected end'), 400, 'MALFORMED_REQUEST', 'Bad Request'],
    [new NotFoundException(), 404, 'NOT_FOUND', 'Not Found'],
    [new PayloadTooLargeException(), 413, 'BODY_TOO_LARGE', 'Content Too Large'],
    [new UnsupportedMediaTypeException(), 415, 'NOT_JSON', 'Unsupported Media Type'],
    [new ForbiddenException('Not you.'), 403, 'REFUSED', 'Forbidden'],
    [new HttpException('No brewing.', 418), 418, 'REFUSED', 'Error'],
  ])('names what Nest refuses: %s', (error, status, code, title) => {
    expect(problemFor(error)).toMatchObject({ type: 'about:blank', status, code, title });
  });

  it.each<[MercuryError, number]>([
    [new DeadLetterError('DEAD_LETTERS_BUSY', 'Somebody else reads.'), 409],
    [new DeadLetterError('ORIGIN_QUEUE_MISSING', 'The queue is gone.'), 409],
    [new DeadLetterError('DEAD_LETTERS_INVALID', 'The cursor is none.'), 422],
    [new DeadLetterError('DEAD_QUEUE_MISSING', 'There is no queue.'), 503],
    [new BrokerError('BROKER_UNREACHABLE', 'The broker cannot be reached.'), 503],
    [new MercuryError('STOPPED', 'It is stopped.'), 503],
  ])('tells why dead letters cannot be read: %s', (error, status) => {
    expect(problemFor(error)).toMatchObject({ status, code: error.code, detail: error.message });
  });

  it('says what is wrong with a request that is none', () => {
    expect(problemFor(new BadRequestException('Unexpected end')).detail).toContain('Unexpected end');
  });

  it('leaves a problem as it is', () => {
    const problem = problemOf(404, 'STATUS_NOT_AVAILABLE', 'Not kept yet.');
    expect(problemFor(new ProblemException(problem))).toBe(problem);
  });

  it.each([
    ['an error', new Error('hush: password')],
    ['an error of Nest on this side', new InternalServerErrorException('hush')],
    ['an error of this library', new ConfigError('Environment', ['hush'])],
    ['a text', 'hush'],
    ['nothing', undefined],
  ])('answers 500 without a word of the reason to %s', (_what, error) => {
    const problem = problemFor(error);
    expect(problem).toMatchObject({ status: 500, code: 'INTERNAL_ERROR' });
    expect(JSON.stringify(problem)).not.toContain('hush');
  });
});
