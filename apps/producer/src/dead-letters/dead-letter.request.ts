import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  IsBoolean,
  IsNumber,
  IsObject,
  IsString,
  Matches,
  Max,
  Min,
  MaxLength,
  MinLength,
  ValidateBy,
} from 'class-validator';
import { DEAD_LETTER_LIMITS, timeMsOf, type DeadLetterFilter, type PageOptions } from '@mercury/messaging';
import type { ProblemDetail } from '../problems/problem';
import { checkBody, refuse } from '../problems/read-body';
import { IfGiven } from '../tasks/task.request';

const LONGEST_TEXT = 1_000;
const TIME = 'ISO 8601 with its time zone, or milliseconds since 1970';

const IsTime = () =>
  ValidateBy({
    name: 'isTime',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && timeMsOf(value) !== undefined,
      defaultMessage: (about) => `${about?.property} must be a time: ${TIME}`,
    },
  });

const IsShortText = () => (target: object, property: string) => {
  MaxLength(LONGEST_TEXT)(target, property);
  MinLength(1)(target, property);
  IsString()(target, property);
};

/** Letters to which everything given applies. */
export class DeadLetterFilterRequest {
  @ApiPropertyOptional({ example: 'webhook.deliver' })
  @IfGiven()
  @IsShortText()
  type?: string;

  @ApiPropertyOptional({ example: 'WEBHOOK_TIMEOUT', description: 'The error code.' })
  @IfGiven()
  @IsShortText()
  code?: string;

  @ApiPropertyOptional({ example: '2026-11-23T10:00:00Z', description: `Dead at this time or later: ${TIME}.` })
  @IfGiven()
  @IsTime()
  from?: string;

  @ApiPropertyOptional({ example: '2026-11-24T10:00:00Z', description: `Dead before this time: ${TIME}.` })
  @IfGiven()
  @IsTime()
  to?: string;

  @ApiPropertyOptional({ example: 'order-4711', description: 'The body contains this text; capitals matter.' })
  @IfGiven()
  @IsShortText()
  text?: string;
}

/** Which page; everything is a text in a query. */
const Limit = () => (target: object, property: string) => {
  ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: DEAD_LETTER_LIMITS.largestPage,
    default: DEAD_LETTER_LIMITS.pageSize,
  })(target, property);
  IfGiven()(target, property);
  Matches(/^([1-9]\d{0,2}|1000)$/, { message: `limit must be from 1 to ${DEAD_LETTER_LIMITS.largestPage}` })(
    target,
    property,
  );
};

const Cursor = () => (target: object, property: string) => {
  ApiPropertyOptional({ description: 'The `cursor` of the page before.' })(target, property);
  IfGiven()(target, property);
  IsShortText()(target, property);
};

export class DeadLetterPageRequest {
  @Limit()
  limit?: string;

  @Cursor()
  cursor?: string;
}

export class DeadLetterListRequest extends DeadLetterFilterRequest {
  @Limit()
  limit?: string;

  @Cursor()
  cursor?: string;
}

export class DiscardRequest {
  @ApiProperty({ type: DeadLetterFilterRequest, description: 'Must ask for something.' })
  @IsObject()
  filter!: DeadLetterFilterRequest;

  @ApiPropertyOptional({ default: false, description: 'Only tells what matches.' })
  @IfGiven()
  @IsBoolean()
  dryRun?: boolean;
}

export class ReplayRequest {
  @ApiProperty({ type: DeadLetterFilterRequest, description: 'An empty one means all.' })
  @IsObject()
  filter!: DeadLetterFilterRequest;

  @ApiPropertyOptional({
    default: DEAD_LETTER_LIMITS.ratePerSecond,
    minimum: DEAD_LETTER_LIMITS.lowestRate,
    maximum: DEAD_LETTER_LIMITS.highestRate,
    description: 'At most so many tasks per second, evenly spread.',
  })
  @IfGiven()
  @Max(DEAD_LETTER_LIMITS.highestRate)
  @Min(DEAD_LETTER_LIMITS.lowestRate)
  @IsNumber()
  ratePerSecond?: number;

  @ApiPropertyOptional({ default: false, description: 'Only tells what matches.' })
  @IfGiven()
  @IsBoolean()
  dryRun?: boolean;
}

/** @throws ProblemException 422, with every wrong parameter. */
export function readList(query: unknown): { filter: DeadLetterFilter } & PageOptions {
  refuse(checkBody(DeadLetterListRequest, query));
  const { limit, cursor, ...filter } = query as DeadLetterListRequest;
  return { filter: filterOf(filter), ...pageOf({ limit, cursor }) };
}

/** @throws ProblemException 422, with every wrong parameter. */
export function readPage(query: unknown): PageOptions {
  refuse(checkBody(DeadLetterPageRequest, query));
  return pageOf(query as DeadLetterPageRequest);
}

function pageOf({ limit, cursor }: { limit?: string | undefined; cursor?: string | undefined }): PageOptions {
  return {
    limit: limit === undefined ? DEAD_LETTER_LIMITS.pageSize : Number(limit),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

/** @throws ProblemException 422, with every wrong field. */
export function readReplay(body: unknown): Omit<ReplayRequest, 'filter'> & { filter: DeadLetterFilter } {
  refuse([...checkBody(ReplayRequest, body), ...filterErrors(body)]);
  const { filter, ...options } = body as ReplayRequest;
  return { ...options, filter: filterOf(filter) };
}

/** @throws ProblemException 422, with every wrong field. */
export function readDiscard(body: unknown): Omit<DiscardRequest, 'filter'> & { filter: DeadLetterFilter } {
  const errors = [...checkBody(DiscardRequest, body), ...filterErrors(body)];
  const { filter, ...options } = Object(body) as DiscardRequest;
  if (errors.length === 0 && Object.keys(filter).length === 0) {
    errors.push({ pointer: '/filter', detail: 'filter must ask for something: discarding everything is a purge' });
  }
  refuse(errors);
  return { ...options, filter: filterOf(filter) };
}

function filterErrors(body: unknown): ProblemDetail[] {
  const { filter } = Object(body) as { filter?: unknown };
  const isObject = typeof filter === 'object' && filter !== null && !Array.isArray(filter);
  return isObject ? checkBody(DeadLetterFilterRequest, filter, '/filter') : [];
}

function filterOf({ from, to, ...filter }: DeadLetterFilterRequest): DeadLetterFilter {
  const fromMs = from === undefined ? undefined : timeMsOf(from);
  const toMs = to === undefined ? undefined : timeMsOf(to);
  return { ...filter, ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined ? {} : { toMs }) };
}
