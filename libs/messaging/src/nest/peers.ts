import { needPeers } from '../peers';

needPeers(
  '@mercury/messaging/nest',
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/microservices',
  'class-validator',
  'class-transformer',
  'rxjs',
  'reflect-metadata',
);
