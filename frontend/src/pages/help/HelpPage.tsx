/* A short guide, the words of the product, and what the method is and is not. */
import { Trans, useTranslation } from 'react-i18next';
import { Page, Panel } from '../../components/Page';

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
  const points = (key: string) => t(key, { returnObjects: true }) as unknown as string[];
  return (
    <Page title={t('ui.nav.help')} lead={t('ui.help.lead')}>
      <Panel title={t('ui.help.first_title')}>
        <ol className="aw-prose">
          {points('ui.help.first').map((_, at) => (
            <li key={at}>
              <Trans i18nKey={`ui.help.first.${at}`} components={{ code: <code className="aw-code" /> }} />
            </li>
          ))}
        </ol>
      </Panel>
      <div className="aw-grid2">
        <Panel title={t('ui.help.is_title')}>
          <ul className="aw-prose">
            {points('ui.help.is').map((point) => (
              <li key={point}>{point}</li>
            ))}
          </ul>
        </Panel>
        <Panel title={t('ui.help.is_not_title')}>
          <ul className="aw-prose">
            {points('ui.help.is_not').map((point) => (
              <li key={point}>{point}</li>
            ))}
          </ul>
        </Panel>
      </div>
      <Panel title={t('ui.help.read_title')}>
        <ul className="aw-prose">
          {points('ui.help.read').map((point) => (
            <li key={point}>{point}</li>
          ))}
        </ul>
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
