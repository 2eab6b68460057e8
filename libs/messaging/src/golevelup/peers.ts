import { needPeers } from '../peers';

needPeers(
  '@mercury/messaging/golevelup',
  '@golevelup/nestjs-rabbitmq',
  '@nestjs/common',
  '@nestjs/core',
  'rxjs',
  'reflect-metadata',
);
