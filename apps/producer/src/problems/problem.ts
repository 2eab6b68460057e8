import { HttpException } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** One wrong place in a request. */
export class ProblemDetail {
  @ApiProperty({
    example: '/payload/event',
    description: 'JSON pointer (RFC 6901) into the request body, or the query.',
  })
  pointer!: string;

  @ApiProperty({ example: 'event must be a string of 1 to 255 characters' })
  detail!: string;
}

/** An error answer: RFC 9457, `application/problem+json`. */
export class Problem {
  @ApiProperty({ example: 'about:blank' })
  type!: string;

  @ApiProperty({ example: 'Unprocessable Entity' })
  title!: string;

  @ApiProperty({ example: 422 })
  status!: number;

  @ApiProperty({ example: 'INVALID_REQUEST', description: 'Stable, for programs.' })
  code!: string;

  @ApiProperty({ example: 'The request has 1 invalid field.' })
  detail!: string;

  @ApiPropertyOptional({ type: [ProblemDetail] })
  errors?: ProblemDetail[];

  @ApiPropertyOptional({
    enum: ['unknown'],
    description: 'The task may be stored: post it again with the same `id`, and it is executed once.',
  })
  outcome?: 'unknown';

  @ApiPropertyOptional({ description: 'With outcome `unknown`: the id to post it again with.' })
  id?: string;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Of what a caller wrote, so much is repeated to him: an answer must not grow with a request. */
const LONGEST_NAME = 100;
const LONGEST_POINTER = 120;
const LONGEST_DETAIL = 1_000;

type Extra = Pick<Problem, 'errors' | 'outcome' | 'id'>;

export function problemOf(status: number, code: string, detail: string, extra: Extra = {}): Problem {
  const title = TITLES[status] ?? 'Error';
  return { type: 'about:blank', title, status, code, detail: cut(detail, LONGEST_DETAIL), ...extra };
}

export function cut(text: string, length = LONGEST_NAME): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** RFC 6901; a long one ends with an ellipsis. */
export function pointerOf(path: readonly string[], parent = ''): string {
  let pointer = parent;
  for (const name of path) {
    if (pointer.length > LONGEST_POINTER) break;
    // A name is cut before it is escaped: it may have millions of characters.
    pointer += `/${cut(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  }
  return cut(pointer, LONGEST_POINTER);
}

/** Throw it to answer with exactly this problem. */
export class ProblemException extends HttpException {
  constructor(readonly problem: Problem) {
    super(problem, problem.status);
  }
}
