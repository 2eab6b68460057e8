import 'reflect-metadata';
import { BadRequestException, HttpException, NotFoundException, UnprocessableEntityException } from '@nestjs/common';
import { FILTER_CATCH_EXCEPTIONS } from '@nestjs/common/constants';
import { lastValueFrom } from 'rxjs';
import { DiscardTask, RetryTask } from '../errors';
import type { Task } from '../task';
import { currentTask } from './task.context';
import { TaskErrorsFilter } from './task-errors.filter';

const task = { id: '1', type: 'report' } as Task;

/** What an execution sees after the filter had the error. */
async function passedOn(error: unknown): Promise<unknown> {
  const rejected = lastValueFrom(new TaskErrorsFilter().catch(error)).then(() => new Error('Nothing was thrown.'));
  return rejected.catch((thrown: unknown) => thrown);
}

describe('TaskErrorsFilter', () => {
  it.each<[string, unknown]>([
    ['an error', new Error('no')],
    ['a RetryTask', new RetryTask('later')],
    ['a DiscardTask', new DiscardTask('never')],
    ['a string', 'no'],
    ['nothing', undefined],
    ['an HTTP error that says nothing of the payload', new NotFoundException()],
    ['an HTTP error of the server', new HttpException('down', 503)],
  ])('passes %s on as it is', async (_what, error) => {
    expect(await passedOn(error)).toBe(error);
  });

  it.each<[string, HttpException, string]>([
    [
      'a list',
      new BadRequestException(['name must be a string', 'times must be >= 1']),
      'name must be a string; times must be >= 1',
    ],
    ['a text', new BadRequestException('no name'), 'no name'],
    ['an object without a message', new BadRequestException({ pointer: '/name' }), 'Bad Request Exception'],
    ['422', new UnprocessableEntityException('no name'), 'no name'],
    ['a response that is only a text', new HttpException('no name', 400), 'no name'],
  ])('discards a task whose payload a pipe refused, with the reason: %s', async (_what, error, detail) => {
    const discarded = await passedOn(error);
    expect(discarded).toBeInstanceOf(DiscardTask);
    expect(discarded).toMatchObject({
      code: 'INVALID_PAYLOAD',
      message: `The payload is invalid: ${detail}.`,
      cause: error,
    });
  });

  it('catches everything that is thrown while a task runs, and nothing outside of one', () => {
    const caught = Reflect.getMetadata(FILTER_CATCH_EXCEPTIONS, TaskErrorsFilter) as (new () => unknown)[];
    expect(caught).toHaveLength(1);
    const catches = (error: unknown) => caught.some((type) => error instanceof type);
    for (const error of [new Error('no'), 'no', undefined]) {
      expect(catches(error)).toBe(false);
      expect(currentTask.run(task, () => catches(error))).toBe(true);
    }
  });
});
