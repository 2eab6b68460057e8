import { Writable } from 'node:stream';
import { Test } from '@nestjs/testing';
import { LoggerModule, Logger } from 'nestjs-pino';
import { structuredLogs } from './structured-logs';

const UNSEEN = 'a\u009b2Jb\u202ec\u200bd\ufeff\u2028e\u007f';

describe('the logs', () => {
  let lines: string;
  let log: Logger;

  beforeEach(async () => {
    lines = '';
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines += chunk.toString();
        done();
      },
    });
    const imports = [LoggerModule.forRoot(structuredLogs('info', destination))];
    const testing = await Test.createTestingModule({ imports }).compile();
    log = testing.get(Logger);
  });

  it('show what a terminal would obey or a reader not see, and mean the same', () => {
    log.warn({ msg: `task ${UNSEEN} failed`, id: UNSEEN, [UNSEEN]: 1 });
    expect(lines).toMatch(/^[\x20-\x7e]+\n$/);
    expect(JSON.parse(lines)).toMatchObject({ msg: `task ${UNSEEN} failed`, id: UNSEEN, [UNSEEN]: 1 });
  });

  it('have one line per message, with what people write', () => {
    log.log({ msg: 'paid by Zoë 🎉' });
    log.debug({ msg: 'not asked for' });
    log.error({ msg: 'one\ntwo' });
    expect(lines.trim().split('\n')).toHaveLength(2);
    expect(lines).toContain('paid by Zoë 🎉');
  });
});
