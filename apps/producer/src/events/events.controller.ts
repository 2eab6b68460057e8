import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Logger } from '@mercury/messaging';
import { ApiProblems } from '../openapi';
import { checkBody, refuse } from '../problems/read-body';
import { EventAccepted, EventRequest } from './event.request';

@ApiTags('events')
@ApiBearerAuth()
@Controller('v1/events')
export class EventsController {
  constructor(private readonly bus: Logger) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({
    summary: 'Publish an event',
    description:
      'Whoever listens now hears it. That nobody listens is no error; for what must not be lost there are tasks.',
  })
  @ApiBody({ type: EventRequest })
  @ApiAcceptedResponse({ type: EventAccepted })
  @ApiProblems(400, 401, 403, 413, 415, 422, 429, 503)
  async publish(@Body() body: unknown): Promise<EventAccepted> {
    refuse(checkBody(EventRequest, body));
    const { level, data } = body as EventRequest;
    await this.bus[level](data);
    return { level };
  }
}
