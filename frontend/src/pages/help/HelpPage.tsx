/* A short guide, the words of the product, and what the method is and is not. */
import { Trans, useTranslation } from 'react-i18next';
import { Page, Panel } from '../../components/Page';
import { usePoints } from '../../i18n/usePoints';
import { METHODS } from '../runs/runFilter';
import { useFormats } from '../../i18n/useFormats';

const WORDS = [
  'site',
  'topology',
  'pilot',
  'method',
  'arm',
  'run',
  'seed',
  'round',
  'step',
  'merge',
  'own_site',
  'all_site',
  'control',
  'simulated',
  'amendment',
  'timetable',
  'window',
  'silent',
  'stage',
  'alpha',
  'worker',
  'roi',
  'break_even',
  'verdict',
] as const;

export function HelpPage() {
  const { t } = useTranslation();
  const formats = useFormats();
  const first = usePoints('ui.help.first');
  return (
    <Page title={t('ui.nav.help')} lead={t('ui.help.lead')}>
      <Panel title={t('ui.help.first_title')}>
        <ol className="aw-prose">
          {first.map(([key]) => (
            <li key={key}>
              <Trans i18nKey={`ui.help.first.${key}`} components={{ code: <code className="aw-code" /> }} />
            </li>
          ))}
        </ol>
      </Panel>
      <div className="aw-grid2">
        <Panel title={t('ui.help.is_title')}>
          <Points of="ui.help.is" />
        </Panel>
        <Panel title={t('ui.help.is_not_title')}>
          <Points of="ui.help.is_not" />
        </Panel>
      </div>
      <Panel title={t('ui.help.read_title')}>
        <Points of="ui.help.read" />
      </Panel>
      <Panel title={t('ui.help.words_title')}>
        <Words words={WORDS.map((word) => [t(`ui.words.${word}.name`), t(`ui.words.${word}.text`)])} />
      </Panel>
      <Panel title={t('ui.help.methods_title')}>
        <Words words={METHODS.map((one) => [t(`methods.${one}`), t(`ui.method_help.${one}`)])} />
      </Panel>
      <Panel title={t('ui.help.api_title')}>
        <p>
          {t('ui.help.api_text')}
          {formats.space}
          <a href="/api/docs" target="_blank" rel="noreferrer">
            /api/docs
          </a>
        </p>
      </Panel>
    </Page>
  );
}

function Words({ words }: { words: readonly (readonly [string, string])[] }) {
  return (
    <dl className="aw-pairs aw-words">
      {words.map(([name, text]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Points({ of }: { of: string }) {
  return (
    <ul className="aw-prose">
      {usePoints(of).map(([key, point]) => (
        <li key={key}>{point}</li>
      ))}
    </ul>
  );
}
