/* A short guide, the words of the product, and what the method is and is not. */
import { Trans, useTranslation } from 'react-i18next';
import { Page, Panel } from '../../components/Page';
import { usePoints } from '../../i18n/usePoints';

const WORDS = [
  'site',
  'topology',
  'pilot',
  'method',
  'arm',
  'run',
  'round',
  'step',
  'merge',
  'own_site',
  'all_site',
  'control',
  'simulated',
] as const;

export function HelpPage() {
  const { t } = useTranslation();
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
        <dl className="aw-pairs aw-words">
          {WORDS.map((word) => (
            <div key={word} style={{ display: 'contents' }}>
              <dt>{t(`ui.words.${word}.name`)}</dt>
              <dd>{t(`ui.words.${word}.text`)}</dd>
            </div>
          ))}
        </dl>
      </Panel>
      <Panel title={t('ui.help.api_title')}>
        <p>
          {t('ui.help.api_text')}{' '}
          <a href="/api/docs" target="_blank" rel="noreferrer">
            /api/docs
          </a>
        </p>
      </Panel>
    </Page>
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
