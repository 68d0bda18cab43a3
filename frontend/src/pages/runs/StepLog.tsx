/* What the worker logged of a step, in a drawer; of each attempt that told it. */
import { Button, Drawer, Select } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, type Schemas } from '../../api/client';
import { Answer, Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';

type Step = Schemas['Step'];
type Line = Schemas['LoggedLine'];

export function StepLogButton({ run, step }: { run: string; step: Step }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  if (step.id === null) return <>–</>;
  const title = t('ui.log.title', {
    kind: t(`ui.step_kind.${step.kind}`),
    round: step.round,
    site: step.display_name,
  });
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={title} onClick={() => setOpen(true)}>
        {t('ui.log.open')}
      </Button>
      <Drawer
        opened={open}
        onClose={() => setOpen(false)}
        position="right"
        size="xl"
        title={title}
        closeButtonProps={{ 'aria-label': t('ui.close') }}
      >
        {open ? <Log run={run} step={step.id} reason={step.reason} /> : null}
      </Drawer>
    </>
  );
}

/** `reason`: how the attempt before the present one ended, as long as that is kept. */
function Log({ run, step, reason }: { run: string; step: string; reason: Step['reason'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const say = useSay();
  const [chosen, setChosen] = useState<string | null>(null);
  const log = api.useQuery('get', '/api/v1/runs/{run_id}/steps/{step_id}/log', {
    params: {
      path: { run_id: run, step_id: step },
      query: chosen === null ? {} : { attempt: Number(chosen) },
    },
  });
  return (
    <Answer query={log}>
      {(found) => {
        const running = found.state === 'running' && found.attempt === found.attempts;
        return (
          <>
            {found.attempts > 1 ? (
              <Select
                mb="md"
                size="xs"
                w={200}
                label={t('ui.log.attempt')}
                data={Array.from({ length: found.attempts }, (_, at) => ({
                  value: String(at + 1),
                  label: formats.number(at + 1),
                }))}
                value={String(found.attempt)}
                onChange={setChosen}
              />
            ) : null}
            {found.is_known ? (
              <>
                <Lines lines={found.first} />
                {found.left_out > 0 ? (
                  <p className="aw-soft">{t('ui.log.left_out', { total: formats.number(found.left_out) })}</p>
                ) : null}
                <Lines lines={found.last} />
              </>
            ) : (
              <Note>
                {found.attempt < found.attempts
                  ? t('ui.log.lost', { attempt: formats.number(found.attempt) })
                  : t(running ? 'ui.log.not_yet' : 'ui.log.none')}
                {formats.space}
                {reason && found.attempt === found.attempts - 1 ? say('reasons', reason) : null}
              </Note>
            )}
          </>
        );
      }}
    </Answer>
  );
}

function Lines({ lines }: { lines: readonly Line[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (lines.length === 0) return null;
  return (
    <ol className="aw-log aw-step-log">
      {lines.map((line, at) => (
        <li key={at}>
          <time dateTime={line.at}>{formats.instant(line.at)}</time>
          <span>
            {line.level === 'info' ? null : <b>{t(`ui.log.level.${line.level}`)} </b>}
            {line.text}
          </span>
        </li>
      ))}
    </ol>
  );
}
