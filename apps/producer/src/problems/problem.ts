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
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

type Extra = Pick<Problem, 'errors' | 'outcome' | 'id'>;

export function problemOf(status: number, code: string, detail: string, extra: Extra = {}): Problem {
  return { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail, ...extra };
}

/** Throw it to answer with exactly this problem. */
export class ProblemException extends HttpException {
  constructor(readonly problem: Problem) {
    super(problem, problem.status);
  }
}
