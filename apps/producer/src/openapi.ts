import { applyDecorators } from '@nestjs/common';
import { ApiResponse, DocumentBuilder, SwaggerModule, getSchemaPath } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Problem } from './problems/problem';

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'The request or its body is malformed, or the `Idempotency-Key`.',
  401: 'An API key is missing or unknown.',
  403: 'Only without API keys: the name in `Host`, or the site in `Origin`, may not ask.',
  404: 'There is none.',
  409: 'Somebody is at it: a request with the same `Idempotency-Key`, or a reader of the dead letters. Or their queue is gone.',
  413: 'The body is too large: JSON has at most 1 MiB and 64 KiB, NDJSON 16 MiB, a payload 1 MiB.',
  415: 'The content type is not JSON.',
  422: 'Fields are wrong; `errors` points to the first 20. Or the `Idempotency-Key` was used for another task.',
  429: 'Too many requests; `Retry-After` says when to come back.',
  503: 'Not stored, come back after `Retry-After`; or, with `outcome: unknown`, perhaps stored.',
};

/** Documents error answers, all of one form. */
export function ApiProblems(...statuses: number[]): MethodDecorator {
  const schema = { $ref: getSchemaPath(Problem) };
  return applyDecorators(
    ...statuses.map((status) =>
      ApiResponse({
        status,
        description: DESCRIPTIONS[status] ?? 'An error.',
        content: { 'application/problem+json': { schema } },
      }),
    ),
  );
}

/** `/docs` for people, `/openapi.json` for programs. */
export function serveOpenApi(app: NestFastifyApplication): void {
  const document = SwaggerModule.createDocument(
    app,
    new DocumentBuilder()
      .setTitle('Mercury producer')
      .setDescription(
        'Puts tasks on a durable queue and events on a bus, and looks after dead letters. A task answered 202 is stored on disk.',
      )
      .setVersion('1')
      .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'Only where API keys are set up.' })
      .build(),
  );
  SwaggerModule.setup('docs', app, document, { jsonDocumentUrl: 'openapi.json' });
}
