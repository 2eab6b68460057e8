import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsObject } from 'class-validator';
import { LEVELS, type JsonObject, type Level } from '@mercury/messaging';

export class EventRequest {
  @ApiProperty({ enum: LEVELS })
  @IsIn(LEVELS as Level[], { message: `level must be one of: ${LEVELS.join(', ')}` })
  level!: Level;

  @ApiProperty({ type: 'object', additionalProperties: true, example: { disk: 'full' } })
  @IsObject()
  data!: JsonObject;
}

export class EventAccepted {
  @ApiProperty({ enum: LEVELS })
  level!: Level;
}
