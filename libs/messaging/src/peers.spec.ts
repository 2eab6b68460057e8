import { needPeers } from './peers';

it('says nothing of packages that are installed', () => {
  expect(() => needPeers('A part', 'amqplib', '@nestjs/common')).not.toThrow();
});

it('names all that are missing, and the command that installs them', () => {
  expect(() => needPeers('@mercury/messaging/nest/health', 'no-such-package', 'amqplib', '@no/other')).toThrow(
    '@mercury/messaging/nest/health needs what is not installed: npm install no-such-package @no/other',
  );
});

it('names packages of Nest in the version that the application has', () => {
  expect(() => needPeers('A part', '@nestjs/no-such')).toThrow('npm install @nestjs/no-such@11');
});
