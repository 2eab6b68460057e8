import { DeadLetters, DiscardTask, Scheduler, type ReplayProgress } from '@mercury/messaging';
import type { Stage } from './stage';
import { LEVELS_MS, TaskStage } from './task-stage';

/** What is done beside the tasks themselves: dead letters are read and replayed, schedules put tasks. */
export function describeUpkeep(stage: Stage): void {
  const tasks = new TaskStage(stage);

  describe('dead letters', () => {
    it('are listed without a change, found, replayed and discarded', async () => {
      const dying = await tasks.working(() => {
        throw new DiscardTask('no', { code: 'NO' });
      });
      for (const number of [1, 2, 3]) await tasks.client.put({ type: 'report', number }, { id: `letter-${number}` });
      await tasks.untilDead(3);
      await dying.stop();
      const letters = tasks.stopLater(
        new DeadLetters({ connections: tasks.program.connections, queueName: tasks.queueName }),
      );
      for (let times = 0; times < 3; times++) {
        const page = await letters.list({ type: 'report' });
        expect(page.letters.map(({ id, code }) => [id, code])).toEqual([1, 2, 3].map((n) => [`letter-${n}`, 'NO']));
      }
      expect((await letters.get('letter-2')).letters).toMatchObject([
        { body: { type: 'report', number: 2 }, attempt: 1 },
      ]);
      const progress: ReplayProgress[] = [];
      for await (const step of letters.replay({ ids: ['letter-2'] })) progress.push(step);
      expect(progress.at(-1)).toMatchObject({ matched: 1, held: 3, replayed: 1, id: 'letter-2' });
      expect(await letters.discard({ ids: ['letter-3'] })).toMatchObject({ discarded: 1, matched: 1 });
      const worker = await tasks.working(() => undefined);
      await stage.until('it has run', () => worker.settled.length === 1);
      expect(worker.seen[0]?.task).toMatchObject({ id: 'letter-2', attempt: 1, headers: { 'x-replays': 1 } });
      expect((await letters.list()).letters.map(({ id }) => id)).toEqual(['letter-1']);
    });

    it('have one reader at a time', async () => {
      await tasks.client.put({ type: 'report' });
      const [one, other] = [tasks.program, await stage.program()].map(({ connections }) =>
        tasks.stopLater(new DeadLetters({ connections, queueName: tasks.queueName })),
      );
      const reading = one!.replay({});
      await reading.next();
      await expect(other!.list()).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
      await reading.return();
      expect((await other!.list()).letters).toEqual([]);
    });
  });

  describe('a schedule', () => {
    it('puts one task per tick, however many replicas run, also when the leader is gone', async () => {
      const worker = await tasks.working(() => undefined);
      const programs = [await stage.program(), await stage.program()];
      const replicas = programs.map(
        ({ connections }) =>
          new Scheduler({
            connections,
            queueName: tasks.queueName,
            retryDelaysMs: LEVELS_MS,
            schedules: [{ name: 'pulse', cron: '* * * * * *', missed: 'run-once', type: 'beat', body: { n: 1 } }],
          }),
      );
      replicas.forEach((replica) => tasks.stopLater(replica));
      await Promise.all(replicas.map((replica) => replica.start()));
      await stage.until('three ticks', () => worker.seen.length >= 3);
      const leader = replicas.find(({ isLeading }) => isLeading);
      await leader!.stop();
      await stage.until('three more', () => worker.seen.length >= 6);
      const ids = worker.seen.map(({ task }) => task.id).sort();
      const firstMs = Date.parse(ids[0]!.slice('pulse@'.length));
      expect(ids).toEqual(ids.map((_id, index) => `pulse@${new Date(firstMs + 1_000 * index).toISOString()}`));
    });
  });
}
