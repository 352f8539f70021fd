import { describe, expect, it } from 'vitest';
import { createLog, type LogLevel } from '../../sidecar/server';

function lines(level: LogLevel, colour = false): string[] {
  const written: string[] = [];
  const log = createLog(level, (line) => void written.push(line), colour);
  log.error('e');
  log.warn('w');
  log.info('i');
  log.debug('d');
  return written;
}

describe('the log', () => {
  it('tells as much as its level says', () => {
    const told = (level: LogLevel) => lines(level).map((line) => line.trimEnd().at(-1));
    expect(told('silent')).toEqual([]);
    expect(told('error')).toEqual(['e']);
    expect(told('warn')).toEqual(['e', 'w']);
    expect(told('info')).toEqual(['e', 'w', 'i']);
    expect(told('debug')).toEqual(['e', 'w', 'i', 'd']);
  });
  it('is plain where there is no terminal', () => {
    for (const line of lines('debug'))
      expect(line).toMatch(/^\d\d:\d\d:\d\d (error|warn |info |debug) \w\n$/);
    expect(lines('info', true)[0]).toContain('\u001b[');
  });
  it('keeps one event on one line', () => {
    const written: string[] = [];
    createLog('info', (line) => void written.push(line), false).info('a\r\nb\u001b[31mc');
    expect(written[0]).toMatch(/ a b \[31mc\n$/);
  });
});
