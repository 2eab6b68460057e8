import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Problem } from '../problems/problem';

/** What the API says about itself; the answers are made by @mercury/messaging. */
export class Sight {
  @ApiProperty({ description: 'Letters that match.', example: 57 })
  matched!: number;

  @ApiProperty({ description: 'Letters that were looked at, at most 10,000.', example: 120 })
  held!: number;

  @ApiProperty({ description: 'Whether the queue has more than were looked at.', example: false })
  truncated!: boolean;
}

export class DeadLetterItem {
  @ApiProperty({ example: '01934b5c-7d2e-7a41-9c57-3f1c2f6f9a10' })
  id!: string;

  @ApiProperty({ example: 'webhook.deliver' })
  type!: string;

  @ApiProperty({ example: 'WEBHOOK_TIMEOUT' })
  code!: string;

  @ApiProperty({ example: 'The receiver did not answer within 10000 ms.' })
  message!: string;

  @ApiProperty({ example: 6, description: 'The number of the last attempt.' })
  attempt!: number;

  @ApiProperty({ example: 0, description: 'How often it was replayed already.' })
  replays!: number;

  @ApiProperty({ example: 'tasks' })
  originQueue!: string;

  @ApiPropertyOptional({ example: 1_800_000_000_000 })
  deadAtMs?: number;

  @ApiProperty({ example: 112 })
  bodyBytes!: number;
}

export class FailedAttemptItem {
  @ApiProperty({ example: 1, description: 'Starts at 1 again after a replay.' })
  attempt!: number;

  @ApiPropertyOptional({ example: 1, description: 'Number of the replay that it belongs to.' })
  replay?: number;

  @ApiPropertyOptional({ example: 1_800_000_000_000 })
  startedAtMs?: number;

  @ApiPropertyOptional({ example: 10_003 })
  durationMs?: number;

  @ApiPropertyOptional({ example: 'worker-7:4711', description: 'host:pid' })
  worker?: string;

  @ApiProperty({ example: 'WEBHOOK_TIMEOUT' })
  code!: string;

  @ApiProperty({ example: 'The receiver did not answer within 10000 ms.' })
  message!: string;

  @ApiPropertyOptional({ type: [String], description: 'The first lines of the stack.' })
  stack?: string[];
}

export class DeadLetterDetails extends DeadLetterItem {
  @ApiPropertyOptional()
  enqueuedAtMs?: number;

  @ApiPropertyOptional()
  replayedAtMs?: number;

  @ApiPropertyOptional()
  traceparent?: string;

  @ApiPropertyOptional({ type: [String], example: ['order:4711'] })
  tags?: string[];

  @ApiProperty({ type: [FailedAttemptItem] })
  attempts!: FailedAttemptItem[];

  @ApiProperty({ example: 0, description: 'Attempts between the first and the second of the list that are not kept.' })
  omittedAttempts!: number;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'When it is a JSON object.' })
  body?: object;

  @ApiPropertyOptional({ description: 'When it is none.' })
  bodyBase64?: string;
}

export class DeadLetterList extends Sight {
  @ApiProperty({ type: [DeadLetterItem], description: 'The oldest first.' })
  letters!: DeadLetterItem[];

  @ApiPropertyOptional({ description: 'For the next page; missing on the last one.' })
  cursor?: string;
}

export class DeadLettersOfId extends Sight {
  @ApiProperty({ type: [DeadLetterDetails], description: 'Those that have this id, the oldest first: usually one.' })
  letters!: DeadLetterDetails[];

  @ApiPropertyOptional({ description: 'For the next page; missing on the last one.' })
  cursor?: string;
}

export class ReplayReport extends Sight {
  @ApiProperty({ example: 12 })
  replayed!: number;

  @ApiPropertyOptional({ type: [String], description: 'In the first line: the letters that match, in their order.' })
  ids?: string[];

  @ApiPropertyOptional({ description: 'The letter that was just replayed.' })
  id?: string;

  @ApiPropertyOptional({ description: 'In the last line of a replay that came to its end.', example: true })
  done?: boolean;

  @ApiPropertyOptional({ description: 'In the last line of a replay that failed: the letters not replayed stay.' })
  problem?: Problem;
}

export class DiscardReport extends Sight {
  @ApiProperty({ example: 57 })
  discarded!: number;

  @ApiProperty({ type: [String], description: 'The letters that match, in their order.' })
  ids!: string[];
}
