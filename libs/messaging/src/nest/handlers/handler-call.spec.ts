import { BadRequestException, HttpException, UnprocessableEntityException } from '@nestjs/common';
import { DiscardTask, PostponeTask, RetryTask } from '../../errors';
import { HandlerCall } from './handler-call';

const first = new Error('the reason');

function failedCall(error: unknown = first): HandlerCall {
  const call = new HandlerCall();
  call.pipesBegin();
  call.handlerBegins();
  call.failed(error);
  return call;
}

describe('a call of a handler', () => {
  it('has not failed when nothing was thrown', () => {
    expect(new HandlerCall().failure(undefined)).toBeUndefined();
  });

  it('has failed for the first reason, whatever filters make of it', () => {
    expect(failedCall().failure(undefined)).toEqual({ error: first });
    expect(failedCall().failure({ error: new Error('of a filter') })).toEqual({ error: first });
    expect(failedCall().failure({ error: 'a text' })).toEqual({ error: first });
    const call = failedCall();
    call.failed(new Error('thrown later'));
    expect(call.failure(undefined)).toEqual({ error: first });
  });

  it('has failed also when nothing was thrown: undefined is a reason', () => {
    const call = new HandlerCall();
    call.failed(undefined);
    expect(call.failure(undefined)).toEqual({ error: undefined });
  });

  it.each([[new DiscardTask('closed')], [new RetryTask('later')], [new PostponeTask(1_000)]])(
    'goes on as a filter decides with %s, which keeps the reason as its cause',
    (decision) => {
      expect(failedCall().failure({ error: decision })).toEqual({ error: decision });
      expect(decision.cause).toBe(first);
    },
  );

  it('keeps the outcome that the handler asked for, when a filter throws something else', () => {
    const wanted = new RetryTask('rate limited', { delayMs: 400 });
    expect(failedCall(wanted).failure({ error: new TypeError('getHeader') })).toEqual({ error: wanted });
    expect(failedCall(wanted).failure({ error: wanted })).toEqual({ error: wanted });
    expect(wanted.cause).toBeUndefined();
  });

  it.each<[string, HttpException, string]>([
    ['a list', new BadRequestException(['a must be set', 'b must be >= 1']), 'a must be set; b must be >= 1'],
    ['a text', new BadRequestException('no name'), 'no name'],
    ['an object without a message', new BadRequestException({ pointer: '/name' }), 'Bad Request Exception'],
    ['422', new UnprocessableEntityException('no name'), 'no name'],
    ['a response that is only a text', new HttpException('no name', 400), 'no name'],
  ])('discards a task whose payload a pipe refused, with the reason: %s', (_what, error, detail) => {
    const call = new HandlerCall();
    call.pipesBegin();
    call.failed(error);
    expect(call.failure(undefined)?.error).toMatchObject({
      code: 'INVALID_PAYLOAD',
      message: `The payload is invalid: ${detail}.`,
    });
  });

  it('takes the same error of a guard or of the handler for any other', () => {
    const refusal = new BadRequestException('upstream said 400');
    const guarded = new HandlerCall();
    guarded.failed(refusal);
    expect(guarded.failure(undefined)).toEqual({ error: refusal });
    expect(failedCall(refusal).failure(undefined)).toEqual({ error: refusal });
  });
});
