import { Readable, finished } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiExtraModels,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import {
  DeadLetters,
  type DeadLetterDetailPage,
  type DeadLetterPage,
  type DiscardResult,
  type ReplayProgress,
} from '@mercury/messaging';
import type { RouteBody } from '../bodies/parse-bodies';
import { ApiProblems } from '../openapi';
import { ProblemException, problemOf } from '../problems/problem';
import { problemFor } from '../problems/problem.filter';
import {
  DeadLetterListRequest,
  DeadLetterPageRequest,
  DiscardRequest,
  ReplayRequest,
  readDiscard,
  readList,
  readPage,
  readReplay,
} from './dead-letter.request';
import { DeadLetterList, DeadLettersOfId, DiscardReport, ReplayReport } from './dead-letter.schemas';

@ApiTags('dead letters')
@ApiBearerAuth()
@ApiExtraModels(ReplayReport)
@Controller('v1/dead-letters')
export class DeadLettersController {
  constructor(private readonly letters: DeadLetters) {}

  @Get()
  @ApiOperation({
    summary: 'List dead letters',
    description:
      'The oldest first. A listing holds the letters of the queue and gives them back: it loses and changes nothing. ' +
      'Only one reader at a time.',
  })
  @ApiOkResponse({ type: DeadLetterList })
  @ApiProblems(401, 403, 409, 422, 429, 503)
  list(@Query() query: DeadLetterListRequest): Promise<DeadLetterPage> {
    const { filter, ...page } = readList(query);
    return this.letters.list(filter, page);
  }

  @Get(':id')
  @ApiOperation({
    summary: 'Show what is known of a dead letter',
    description: 'With its history and its body. A page has at most 1 MiB of them, and one letter at least.',
  })
  @ApiParam({ name: 'id' })
  @ApiOkResponse({ type: DeadLettersOfId })
  @ApiProblems(401, 403, 404, 409, 422, 429, 503)
  async show(@Param('id') id: string, @Query() query: DeadLetterPageRequest): Promise<DeadLetterDetailPage> {
    const page = await this.letters.get(id, readPage(query));
    if (page.matched === 0) throw notFound(id);
    return page;
  }

  @Post('replay')
  @ApiOperation({
    summary: 'Replay all dead letters that match',
    description:
      'Puts each back on the queue that it came from, under its id and as attempt 1, then takes it out of the dead ' +
      'queue. Answers as it goes: a first line with what matches, one per letter, and a last one with `done` or ' +
      '`problem`. It ends when the caller disconnects, after the letter that is under way.',
  })
  @ApiBody({ type: ReplayRequest })
  @ApiOkResponse({
    description: 'One report per line.',
    content: { 'application/x-ndjson': { schema: { $ref: getSchemaPath(ReplayReport) } } },
  })
  @ApiProblems(400, 401, 403, 409, 415, 422, 429, 503)
  async replay(@Body() body: unknown, @Res() reply: FastifyReply): Promise<void> {
    const { filter, ...options } = readReplay(body);
    const gone = new AbortController();
    const reports = this.letters.replay(filter, { ...options, signal: gone.signal });
    finished(reply.raw, () => {
      gone.abort();
      // Also when nobody came to read the first line: the queue must not stay reserved.
      reports.return().catch(() => undefined);
    });
    // What fails before anything is replayed is an answer with a status of its own.
    const { value: first } = await reports.next();
    if (first)
      reply
        .status(200)
        .type('application/x-ndjson')
        .send(Readable.from(linesOf(first, reports)));
  }

  @Post('discard')
  @HttpCode(200)
  @ApiOperation({ summary: 'Delete all dead letters that match', description: 'They are gone for good.' })
  @ApiBody({ type: DiscardRequest })
  @ApiOkResponse({ type: DiscardReport })
  @ApiProblems(400, 401, 403, 409, 415, 422, 429, 503)
  discard(@Body() body: unknown): Promise<DiscardResult> {
    const { filter, ...options } = readDiscard(body);
    return this.letters.discard(filter, options);
  }

  @Post(':id/replay')
  @RouteConfig({ body: 'none' } satisfies RouteBody)
  @HttpCode(200)
  @ApiOperation({ summary: 'Replay one dead letter', description: 'Every letter with this id: usually one.' })
  @ApiParam({ name: 'id' })
  @ApiBody({ required: false, schema: { type: 'object', description: 'Nothing is read of it.', example: {} } })
  @ApiOkResponse({ type: ReplayReport })
  @ApiProblems(401, 403, 404, 409, 415, 429, 503)
  async replayOne(@Param('id') id: string): Promise<ReplayProgress> {
    let last: ReplayProgress | undefined;
    for await (const report of this.letters.replay({ ids: [id] })) last = report;
    if (!last?.matched) throw notFound(id);
    return last;
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete one dead letter', description: 'Every letter with this id: usually one.' })
  @ApiParam({ name: 'id' })
  @ApiOkResponse({ type: DiscardReport })
  @ApiProblems(401, 403, 404, 409, 429, 503)
  async discardOne(@Param('id') id: string): Promise<DiscardResult> {
    const result = await this.letters.discard({ ids: [id] });
    if (result.matched === 0) throw notFound(id);
    return result;
  }
}

async function* linesOf(first: ReplayProgress, reports: AsyncIterable<ReplayProgress>): AsyncGenerator<string> {
  let last = first;
  yield line(first);
  try {
    for await (const report of reports) yield line((last = report));
    const { ids: _ids, id: _id, ...sums } = last;
    yield line({ ...sums, done: true });
  } catch (error) {
    yield line({ problem: problemFor(error) });
  }
}

const line = (report: object) => `${JSON.stringify(report)}\n`;

function notFound(id: string): ProblemException {
  const detail = `None of the first 10,000 dead letters has the id "${id.slice(0, 255)}".`;
  return new ProblemException(problemOf(404, 'DEAD_LETTER_NOT_FOUND', detail));
}
