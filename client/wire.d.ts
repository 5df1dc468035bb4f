// Made by client/wire.py from docs/reference/openapi.json. Change the API, then run: make docs

export interface AccessOut {
  at: string;
  /** 看了什么 */
  what: string;
  /** 本人、本人的其他账户、工作人员或系统 */
  who: string;
  /** 为了什么 */
  why: string;
}

export interface AccessesOut {
  accesses: Array<AccessOut>;
  count: number;
}

export interface AccountIn {
  miniprogram: string;
  /** 中国大陆手机号码，可带 +86、空格或短横 */
  phone: string;
  /** 短信中的6位数字 */
  sms_code: string;
}

export interface AccountOut {
  elder_mode: boolean;
  id: string;
  /** 已脱敏 */
  id_number: string | null;
  language: string;
  miniprogram: string;
  /** 已脱敏 */
  name: string | null;
  /** 已验证的手机号码，已脱敏 */
  phone: string | null;
  /** 身份是否核验过；撤回《实名认证信息使用说明》的同意后仍为真，而按钮全部停用 */
  verified: boolean;
}

export interface AdviceOut {
  /** TOO_SMALL、TOO_DARK 或 BLURRED */
  code: string;
  /** 怎样拍得更清楚 */
  text: string;
}

export interface AgencyOut {
  address: string;
  code: string;
  division_code: string;
  hours: string;
  is_default: boolean;
  name: string;
  phone: string;
  /** 以当地公布为准 */
  to_confirm: boolean;
}

export interface AgreementBankOut {
  code: string;
  title: string;
}

export interface AgreementIn {
  bank: string;
  /** 本人的社会保障卡或借记卡号，加密保存 */
  card_number: string;
  /** 本人身份证号码 */
  id_number: string;
  insurance_type: string;
  /** 本人姓名 */
  name: string;
  /** 银行预留手机号码，银行答复后即删除 */
  phone: string;
  region: string;
}

export interface AgreementOut {
  agreement_no: string;
  bank: string;
  bank_name: string;
  /** 可以在手机上解约 */
  can_terminate: boolean;
  /** 只有末四位 */
  card: string;
  /** ONLINE 手机签约，BRANCH 银行网点签约 */
  channel: string;
  /** 扣款要办好的两件事 */
  checklist: Array<CheckItemOut>;
  /** 正在扣的，和下次要扣的 */
  debiting: DebitingOut;
  /** 为什么，接下来怎么办 */
  detail: string;
  /** 怎样解约、换卡 */
  ending: string;
  finished_at: string | null;
  id: string;
  insurance_name: string;
  insurance_type: string;
  region: string;
  region_name: string;
  signed_at: string;
  /** PENDING_VERIFY，ACTIVE，SUSPENDED，TERMINATED，REJECTED */
  state: string;
  state_text: string;
  /** 所同意的协议文本的版本 */
  text_version: string | null;
  /** 本地区对协议的叫法 */
  title: string;
  verified_at: string | null;
}

export interface AgreementsOut {
  agreements: Array<AgreementOut>;
  /** 签约以前要知道的，本小程序的每个地区一项 */
  guides: Array<GuideOut>;
}

export interface ApplicationDocumentOut {
  kind: string;
  label: string;
  uploaded_at: string;
}

export interface ApplicationFormOut {
  /** 提交以后怎么办 */
  after: string | null;
  /** 办理以前要阅读并同意的告知书 */
  consents: Array<FormConsentOut>;
  /** 目前的参保信息 */
  current: Array<CurrentOut>;
  default_month: string;
  /** 任一组齐全即可；为空：不需要材料 */
  document_sets: Array<Array<string>>;
  documents: Array<FormDocumentOut>;
  /** 户籍在别处的，在任一组之外还要的材料 */
  documents_besides: Array<DocumentBesidesOut>;
  first_month: string;
  insurances: Array<FormInsuranceOut>;
  kind: string;
  last_month: string;
  /** 按这一天（北京时间）生效的规则 */
  on: string;
  region: string;
  region_name: string;
  steps: Array<FormStepOut>;
  /** UPLOAD_CHECK_SUBMIT 上传、核对、提交申报；SAVE_SUBMITS 保存即提交 */
  submission: string;
  submit_label: string;
}

export interface ApplicationIn {
  /** 沿用自己被退回不通过或已撤回的申请的内容 */
  copied_from?: string | null;
  /** 表单各项的 key 和内容；空表示清除 */
  fields?: Record<string, string | null>;
  /** 不填：保持原来所选 */
  insurances?: Array<ChoiceIn> | null;
  joint_case_id?: string | null;
  kind: "NEW_ENROLLMENT" | "RESUMPTION" | "SUSPENSION";
  region: string;
}

export interface ApplicationOut {
  apology: string | null;
  /** 现在可以：CHANGE, HAND_IN_DOCUMENTS, SUBMIT, WITHDRAW, COPY, PRINT_FORM */
  can: Array<string>;
  /** 办件编号 */
  case_no: string;
  created_at: string;
  documents: Array<ApplicationDocumentOut>;
  /** 最迟审核完毕的时间 */
  due_at: string | null;
  /** 次年放假安排尚未公布，时间可能调整 */
  due_is_provisional: boolean;
  fields: Array<FilledFieldOut>;
  id: string;
  insurances: Array<ItemOut>;
  joint_case_id: string | null;
  kind: string;
  kind_text: string;
  /** 退回补正的最后一天（北京时间），过期失效；未退回或不限期的为空 */
  mend_by: string | null;
  missing_documents: Array<MissingDocumentOut>;
  reason: string | null;
  reason_text: string | null;
  region: string;
  region_name: string;
  state: string;
  state_text: string;
  submission: string | null;
  submitted_at: string | null;
  target_at: string | null;
  /** 办理进度；列表中为空 */
  timeline: Array<TimelineStepOut>;
  updated_at: string;
  version: number;
  what_next: string | null;
}

export interface ApplicationsOut {
  applications: Array<ApplicationOut>;
}

export interface AreaOut {
  code: string;
  name: string;
  /** 以当地公布为准 */
  to_confirm: boolean;
}

export interface BankCardCheckIn {
  /** 本人名下的银行卡号，不保存 */
  card_number: string;
  /** 银行预留手机号码，不保存 */
  phone: string;
}

export interface BankCardCheckOut {
  /** 只有末四位 */
  card: string;
  detail: string;
  id: string;
  /** MATCHED，MISMATCHED，UNSUPPORTED，UNAVAILABLE（不计次数） */
  state: string;
  title: string;
  verification_state: string;
  /** 未通过时，还可以怎么办 */
  ways: Array<WayOut>;
}

export interface BankOut {
  /** 网点可现金缴费 */
  cash: boolean;
  code: string;
  title: string;
}

export interface BillOut {
  /** 计入个人账户 */
  account_part_fen: number;
  amount_fen: number;
  base_fen: number | null;
  /** 手机不能办理时，可去的窗口 */
  counter: Record<string, unknown> | null;
  /** 费款所属期 */
  coverage_month: string;
  /** 缴费截止日 */
  due_date: string | null;
  /** 截止日未经确认时为“以当地公布为准” */
  due_date_note: string | null;
  /** 账单编号，下单时使用 */
  id: string;
  insurance_name: string;
  insurance_type: string;
  /** NORMAL 当月应缴；SUPPLEMENT 基数公布后的补差 */
  kind: string;
  not_payable_code: string | null;
  not_payable_reason: string | null;
  order_no: string | null;
  /** 支付成功 */
  paid_at: string | null;
  payable: boolean;
  pooling_part_fen: number;
  /** 已记账 */
  posted_at: string | null;
  /** 暂按上年基数，公布后多退少补 */
  provisional: boolean;
  /** BASE_ADJUSTMENT：基数公布后重新核定 */
  reason: string | null;
  region: string;
  right_region: string | null;
  /** 金额所依据的规则 */
  rule_id: string;
  /** 示例金额 */
  sample: boolean;
  state: string;
  /** 税务入库，缴费成功 */
  tax_confirmed_at: string | null;
  tier: string | null;
}

export interface BillsOut {
  bills: Array<BillOut>;
  insured_person: InsuredPersonOut;
  notes: Array<string>;
}

export interface CapabilityOut {
  available: boolean;
  capability: string;
  counter: CounterOut | null;
  /** ENTRUSTED_AGENCY 您委托代理的机构，BANK_BRANCH 银行网点，AGENCY 所列窗口 */
  counter_kind: string | null;
  explanation: string | null;
}

export interface ChangeIn {
  /** 表单各项的 key 和内容；空表示清除 */
  fields?: Record<string, string | null>;
  /** 不填：保持原来所选 */
  insurances?: Array<ChoiceIn> | null;
  /** 页面上所见的版本 */
  version: number;
}

export interface CheckItemOut {
  /** 空：没有人告诉过我们 */
  done: boolean | null;
  /** FINANCIAL_FUNCTION 激活金融功能，AGREEMENT_SIGNED 签订协议 */
  item: string;
  title: string;
}

export interface ChoiceIn {
  /** 申报工资基数；选了档次的不填 */
  declared_wage_fen?: number | null;
  /** 不参加此险种，选“无” */
  declined?: boolean;
  insurance_type: string;
  /** 不填：本地区的默认方案 */
  plan?: string | null;
  tier?: string | null;
}

export interface ConsentIn {
  purpose: string;
  text_hash: string;
  version: string;
}

export interface ConsentOut {
  given_at: string;
  id: string;
  purpose: string;
  version: string;
}

export interface ContributionsOut {
  first_month: string | null;
  last_month: string | null;
  /** 经办机构登记的、由单位或在其他渠道缴纳的月数；未登记的为空 */
  months_elsewhere: number | null;
  /** 支付成功的月数（含下面两项） */
  paid_months: number;
  /** 已记账的月数 */
  posted_months: number;
  /** 税务已入库的月数 */
  tax_confirmed_months: number;
  /** 合计：支付成功的月数加上在别处缴纳的月数 */
  total_months: number;
}

export interface CopyOut {
  /** 是否含完整姓名、证件号码和手机号码；未核验身份时为 false */
  full: boolean;
  kinds: Array<DataKindOut>;
  made_at: string;
  /** 本人的完整信息 */
  opened: Record<string, unknown>;
}

export interface CounterCheckOut {
  /** 给窗口工作人员看的核验码；已结束时为空 */
  code: string | null;
  /** 当天18:00（北京时间），至少4小时 */
  expires_at: string;
  id: string;
  /** 窗口未通过时的原因 */
  refusal: string | null;
  /** OPEN 待录入，ATTESTED 待复核，CONFIRMED，REFUSED，WITHDRAWN，EXPIRED */
  state: string;
  verification_state: string;
  /** 尚未核验时，可以怎么办 */
  ways: Array<WayOut>;
}

export interface CounterOut {
  address: string;
  code: string;
  hours: string;
  name: string;
  phone: string;
  /** 以当地公布为准 */
  to_confirm: boolean;
}

export interface CurrentOut {
  declared_wage_fen: number | null;
  end_month: string | null;
  /** 本项业务可以办理 */
  fits: boolean;
  insurance_type: string;
  pooling_area: string;
  pooling_area_name: string;
  region: string;
  region_name: string;
  start_month: string;
  state: string;
  tier: string | null;
}

export interface DataKindOut {
  /** 共有多少条；页面只列最近的 */
  count: number;
  items: Array<Record<string, unknown>>;
  kind: string;
  /** 处理和保存的法律依据 */
  legal_ground: string;
  /** 处理目的 */
  purpose: string;
  /** 保存期限 */
  retention: string;
  /** 信息来源 */
  source: string;
  title: string;
}

export interface DataRequestIn {
  kind: "COPY" | "CORRECT" | "DELETE";
  /** 要更正什么；只在更正时填写，且必填 */
  wish?: string;
}

export interface DataRequestOut {
  /** 办理结果，或下一步怎么办 */
  answer: string;
  created_at: string;
  /** 最迟答复时间 */
  due_at: string;
  finished_at: string | null;
  id: string;
  /** 注销后依法保留的记录及依据 */
  kept: Array<KeptOut>;
  kind: string;
  state: string;
}

export interface DataRequestsOut {
  requests: Array<DataRequestOut>;
}

export interface DebitingOut {
  /** 正在扣款中的金额，分；0：没有 */
  in_flight_fen: number;
  /** 空：没有已知的扣款日，或协议未生效 */
  next: NextDebitOut | null;
}

export interface DependsOnOut {
  /** 另一项的 key，或 insurance_type */
  key: string;
  values: Array<string>;
}

export interface DepositOut {
  /** 按今天的标准，一个月应存足的金额，分 */
  amount_fen: number;
  insurance_type: string;
  provisional: boolean;
  /** 示例金额 */
  sample: boolean;
}

export interface DocumentBesidesOut {
  because: string;
  kind: string;
  /** 户籍地区划以此开头的不需要 */
  unless_hukou_prefix: string;
}

export interface DocumentOut {
  help: string | null;
  kind: string;
  label: string;
}

export interface DocumentOut1 {
  /** 照片已保存；有建议的，请本人决定是否重拍 */
  advice: Array<AdviceOut>;
  byte_count: number;
  height: number;
  kind: string;
  uploaded_at: string;
  width: number;
}

export interface EnrollmentOut {
  /** 不再参保的第一个月 */
  end_month: string | null;
  /** 本月以前参保而未缴的月份（本系统所知） */
  gaps: Array<string>;
  /** 参保关系编号 */
  id: string;
  insurance_name: string;
  insurance_type: string;
  /** 经办机构登记的、由单位或在其他渠道缴纳的月数；未登记的为空 */
  months_elsewhere: number | null;
  /** 支付成功的月数（含下面两项） */
  paid_months: number;
  pooling_area: string;
  pooling_area_name: string;
  /** 已记账的月数 */
  posted_months: number;
  region: string;
  region_name: string;
  start_month: string;
  /** ACTIVE 正常参保，SUSPENDED 暂停，TERMINATED 终止，RETIRED 退休 */
  state: string;
  /** 有补差未缴 */
  supplement_outstanding: boolean;
  /** 税务已入库的月数 */
  tax_confirmed_months: number;
  tier_change: TierChangeTermsOut;
  tiers: Array<EnrollmentTierOut>;
  /** 合计：支付成功的月数加上在别处缴纳的月数 */
  total_months: number;
}

export interface EnrollmentTierOut {
  declared_wage_fen: number | null;
  /** 从这个月起 */
  from_month: string;
  label: string | null;
  /** RECORD 参保登记，REGISTRAR 登记机关变更，PERSON 本人变更 */
  source: string;
  tier: string | null;
  tier_plan: string;
}

export interface EnrollmentsOut {
  enrollments: Array<EnrollmentOut>;
}

export interface FaceCheckIn {
  /** APP人脸SDK给出的设备信息（MetaInfo），APP必填；小程序不需要，传了也不使用、不保存 */
  device?: string | null;
}

export interface FaceCheckOut {
  /** 核验结束而未通过时，给本人的说明 */
  advice: string | null;
  expires_at: string;
  id: string;
  /** 传给平台人脸函数的参数 */
  launch: Record<string, string> | null;
  state: string;
  verification_state: string;
  /** 未通过时，不刷脸还可以怎么办 */
  ways: Array<WayOut>;
}

export interface FilledFieldOut {
  key: string;
  label: string;
  /** 个人信息已脱敏 */
  value: string;
}

export interface FormConsentOut {
  given: boolean;
  purpose: string;
  title: string;
  version: string;
}

export interface FormDocumentOut {
  help: string | null;
  kind: string;
  label: string;
}

export interface FormFieldOut {
  /** 填写以前须同意哪一份告知书 */
  consent: string | null;
  depends_on: DependsOnOut | null;
  help: string | null;
  key: string;
  label: string;
  /** 最多几个字 */
  longest: number | null;
  options: Array<FormOptionOut>;
  read_only: boolean;
  required: boolean;
  /** IDENTITY（已实名，只读）, TEXT, CHOICE, DIVISION, PHONE, CARD_NUMBER, MONTH */
  type: string;
  /** 已预填的内容，个人信息已脱敏 */
  value: string | null;
}

export interface FormInsuranceOut {
  /** 可以自报申报工资基数 */
  allow_declared_wage: boolean;
  ceiling_fen: number | null;
  floor_fen: number | null;
  insurance_type: string;
  label: string;
  /** 可以选“无” */
  may_be_declined: boolean;
  plan: string | null;
  /** 暂按上年基数，公布后多退少补 */
  provisional: boolean;
  /** 示例金额：尚无人确认 */
  sample: boolean;
  tiers: Array<FormTierOut>;
  title: string;
}

export interface FormOptionOut {
  /** 由其他机构办理，不能在这里申报 */
  elsewhere: boolean;
  label: string;
  value: string;
}

export interface FormStepOut {
  /** 险种和档次在这一步选择 */
  asks_insurances: boolean;
  fields: Array<FormFieldOut>;
  step: string;
  title: string;
}

export interface FormTierOut {
  amount_fen: number;
  base_fen: number | null;
  label: string;
  tier: string;
}

export interface GuideOut {
  activation: string;
  banks: Array<AgreementBankOut>;
  checklist: Array<CheckItemOut>;
  deposit_note: string;
  /** 本人在保的每个险种一项 */
  deposits: Array<DepositOut>;
  ending: string;
  hotline: string;
  /** 本地区主要的缴费方式，推荐 */
  is_main_way: boolean;
  recommended_card: string;
  region: string;
  region_name: string;
  signed_before: string;
  /** 可以在这个小程序里签约 */
  signs_online: boolean;
  title: string;
  /** 以当地公布为准 */
  to_confirm: boolean;
  where: string;
}

export interface HotlineOut {
  label: string;
  number: string;
  /** 以当地公布为准 */
  to_confirm: boolean;
  topic: string;
}

export interface InsuranceOut {
  /** 可在手机上补缴的往月：NONE, SAME_YEAR, N_MONTHS */
  arrears: string | null;
  arrears_months: number | null;
  insurance_type: string;
  label: string;
  /** 可以选“无” */
  may_be_declined: boolean;
  plans: Array<PlanOut>;
  title: string;
}

export interface InsuredPersonIn {
  id_number: string;
  /** false：只缴这一次，不保存 */
  keep?: boolean;
  name: string;
  relation?: string | null;
}

export interface InsuredPersonOut {
  expires_at: string | null;
  id: string;
  /** 已脱敏 */
  id_number: string;
  is_self: boolean;
  keep: boolean;
  /** 已脱敏 */
  name: string;
  relation: string | null;
}

export interface InsuredPersonsOut {
  insured_persons: Array<InsuredPersonOut>;
}

export interface ItemOut {
  /** 按当前标准每月应缴 */
  amount_fen: number | null;
  base_fen: number | null;
  insurance_type: string;
  label: string;
  provisional: boolean;
  sample: boolean;
  tier: string | null;
  tier_label: string | null;
  tier_plan: string | null;
}

export interface JointCaseIn {
  region: string;
  /** 城乡居民入口：170 居民养老，390 居民医疗；不填：灵活就业 */
  resident_scheme?: "170" | "390" | null;
}

export interface JointCaseOut {
  case_no: string;
  created_at: string;
  id: string;
  is_done: boolean;
  region: string;
  region_name: string;
  resident_scheme: string | null;
  steps: Array<JointStepOut>;
}

export interface JointCasesOut {
  joint_cases: Array<JointCaseOut>;
}

export interface JointStepOut {
  application_ids: Array<string>;
  explanation: string | null;
  /** WAITING 未到此步，TO_DO 请您办理，UNDER_WAY 办理中，DONE 已完成 */
  state: string;
  /** ENROLLMENT, AGREEMENT, PAYMENT */
  step: string;
  title: string;
}

export interface KeptOut {
  what: string;
  why: string;
}

export interface MeOut {
  account: AccountOut;
  capabilities: Array<string>;
}

export interface MenuEntryOut {
  /** 此账户现在能不能办 */
  available: boolean;
  capability: string | null;
  children: Array<MenuEntryOut>;
  code: string;
  /** 办理以前还要同意哪一份告知书 */
  consent: string | null;
  counter: CounterOut | null;
  /** ENTRUSTED_AGENCY 您委托代理的机构，BANK_BRANCH 银行网点，AGENCY 所列窗口 */
  counter_kind: string | null;
  /** 长辈版排在前面 */
  elder: boolean;
  explanation: string | null;
  function: string | null;
  hotline: HotlineOut | null;
  title: string;
  /** NOT_AVAILABLE_ONLINE, COMING_SOON, OTHER_MINIPROGRAM, PROVE_IDENTITY_FIRST, DONE_ALREADY */
  why_not: string | null;
}

export interface MenuOut {
  entries: Array<MenuEntryOut>;
  /** 参保地区与所选地区不同时的提示 */
  hint: string | null;
  /** 身份核验的下一步；已核验为空 */
  next_step: NextStepOut | null;
  region: string;
  region_name: string;
  verified: boolean;
}

export interface MessageOut {
  created_at: string;
  /** ltr 或 rtl */
  direction: string;
  /** 消息种类，如 payment.succeeded */
  key: string;
  /** 文字实际所用的语言（BCP 47）；尚无译文的用中文 */
  language: string;
  /** 长辈版账户得到更短、更直白的说法；金额以元计 */
  text: string;
  title: string;
}

export interface MessagesOut {
  messages: Array<MessageOut>;
  /** 下一页从这里开始；没有更早的消息时为空 */
  next_before: string | null;
}

export interface MissingDocumentOut {
  /** 因所填户籍地而需要的，说明原因 */
  because: string | null;
  kind: string;
  label: string;
}

export interface NextDebitOut {
  /** 到那天应在协议卡里存足的金额，分；0：目前没有要扣的 */
  amount_fen: number;
  /** 下次扣款日 */
  day: string;
  /** 所属月份 */
  months: Array<string>;
  /** 以当地公布为准 */
  to_confirm: boolean;
}

export interface NextStepOut {
  detail: string;
  /** 要阅读哪一份告知书 */
  purpose: string | null;
  /** CONSENT, REAL_NAME, FACE, WITHOUT_FACE */
  step: string;
  title: string;
  /** 不刷脸的办理方式 */
  without_face: string | null;
}

export interface Nothing {
}

export interface NoticeOut {
  /** 是否已同意此版本 */
  given: boolean;
  issuer: string;
  /** 第一次打开的时间 */
  opened_at: string | null;
  purpose: string;
  /** 打开多少秒后才能同意；空：不限 */
  reading_seconds: number | null;
  /** 在哪些地区适用 */
  regions: Array<string>;
  /** 示例文本 */
  sample: boolean;
  text: string;
  /** SHA-256, 十六进制 */
  text_hash: string;
  title: string;
  version: string;
}

export interface NoticeReadingIn {
  purpose: string;
  text_hash: string;
  version: string;
}

export interface NoticeReadingOut {
  may_agree_at: string;
  /** 第一次打开的时间；再次打开不重新计时 */
  opened_at: string;
  purpose: string;
  reading_seconds: number;
  text_hash: string;
  version: string;
}

export interface NoticesOut {
  notices: Array<NoticeOut>;
}

export interface OrderLineOut {
  amount_fen: number;
  bill_id: string;
  coverage_month: string;
  insurance_type: string;
  state: string;
}

export interface OwnConsentOut {
  given_at: string;
  /** 撤回后依法继续什么 */
  goes_on: string | null;
  id: string;
  purpose: string;
  /** 因同意了新版本而结束，不是撤回 */
  replaced: boolean;
  /** 当时同意的文本 */
  text: string | null;
  /** 告知书已更新，请再次征求同意 */
  text_changed: boolean;
  title: string;
  version: string;
  /** 撤回后停止什么 */
  withdrawing_stops: string | null;
  withdrawn_at: string | null;
}

export interface OwnConsentsOut {
  consents: Array<OwnConsentOut>;
}

export interface OwnDataOut {
  kinds: Array<DataKindOut>;
}

export interface PayerBlockIn {
  /** GET /payer-blocks 给出的编号 */
  payer_id: string;
}

export interface PayerOut {
  /** 已拒绝时，用它来撤销 */
  block_id: string | null;
  blocked_at: string | null;
  has_paid: boolean;
  /** 此刻有一笔未付的订单占着您的月份 */
  holds_order: boolean;
  last_order_at: string | null;
  /** 已脱敏 */
  name: string;
  /** 不透明编号，只对本人有效 */
  payer_id: string;
}

export interface PayersOut {
  payers: Array<PayerOut>;
}

export interface PaymentOrderIn {
  bill_ids: Array<string>;
  /** 页面上显示的合计；与当前应缴不符时拒绝下单 */
  expected_amount_fen: number;
  insured_person_id: string;
}

export interface PaymentOrderOut {
  channel: string;
  closed_why: string | null;
  created_at: string;
  expires_at: string;
  /** 已脱敏 */
  insured_id_number: string;
  /** 已脱敏 */
  insured_name: string;
  /** 传给 wx.requestPayment 或 my.tradePay */
  launch: Record<string, string> | null;
  lines: Array<OrderLineOut>;
  order_no: string;
  /** PHONE：手机缴费；DEBIT：银行卡扣款；POS、COUNTER：窗口；TAX：税务清单 */
  origin: string;
  paid_at: string | null;
  /** 商户单号，可向客服提供 */
  payment_no: string;
  state: string;
  state_text: string;
  total_fen: number;
}

export interface PaymentOrdersOut {
  payment_orders: Array<PaymentOrderOut>;
}

export interface PhoneIn {
  /** 支付宝：同上，charset */
  charset?: string;
  /** 微信 getPhoneNumber 的 code，不是 wx.login 的 */
  code?: string;
  /** 支付宝：同上，encrypt_type */
  encrypt_type?: string;
  /** 支付宝 my.getPhoneNumber：res.response 里的 response */
  response?: string;
  /** 支付宝：同上，sign */
  sign?: string;
  /** 支付宝：同上，sign_type */
  sign_type?: string;
}

export interface PictureLinkOut {
  expires_at: string;
  /** 打开即是照片，不带登录信息；请勿转发 */
  url: string;
}

export interface PlanOut {
  allow_declared_wage: boolean;
  ceiling_fen: number | null;
  /** 没有金额时的原因 */
  explanation: string | null;
  floor_fen: number | null;
  id: string;
  is_default: boolean;
  /** 暂按上年基数，公布后多退少补 */
  provisional: boolean;
  /** 金额所依据的规则；本月没有规则时为空 */
  rule_id: string | null;
  /** 示例金额：尚无人确认 */
  sample: boolean;
  tiers: Array<TierOut>;
  title: string;
}

export interface PreferencesIn {
  /** 长辈版：大字体、简单用语、更长的登录时间 */
  elder_mode?: boolean;
  /** 没有译文的内容仍用中文 */
  language?: "zh-CN" | "ug-CN";
}

export interface Problem {
  /** 当前应缴合计 */
  amount_fen?: number;
  /** 不能缴的那一笔账单 */
  bill_id?: string;
  /** 稳定的英文代码，供程序判断 */
  code: string;
  /** 手机不能办理时，可去的窗口 */
  counter?: Record<string, unknown>;
  /** 下一步怎么办 */
  detail: string;
  /** 字段 → 原因 */
  errors?: Record<string, unknown>;
  /** 可以分次支付的分组 */
  groups?: Array<Array<string>>;
  /** 咨询电话，随地区和事项 */
  hotline: string;
  /** 本人已有的那笔订单 */
  order_no?: string;
  /** 缺少哪一项同意 */
  purpose?: string;
  request_id: string;
  /** 参保所在地区 */
  right_region?: string;
  /** 还要阅读多少秒才能同意 */
  seconds_left?: number;
  status: number;
  /** 发生了什么 */
  title: string;
  type: string;
  /** 最新的告知书版本 */
  version?: string;
  /** 不刷脸还可以怎么办 */
  ways?: Array<WayOut>;
  [fact: string]: unknown;
}

export interface RealNameIn {
  id_number: string;
  name: string;
  phone?: string | null;
}

export interface RegionDetailOut {
  agencies: Array<AgencyOut>;
  /** 参保统筹区 */
  areas: Array<AreaOut>;
  banks: Array<BankOut>;
  capabilities: Array<CapabilityOut>;
  code: string;
  documents: Array<DocumentOut>;
  hotlines: Array<HotlineOut>;
  insurances: Array<InsuranceOut>;
  name: string;
  /** 按这一天（北京时间）生效的规则 */
  on: string;
  province_code: string;
  required_documents: Array<RequiredDocumentsOut>;
}

export interface RegionOut {
  code: string;
  name: string;
  province_code: string;
}

export interface RegionsOut {
  regions: Array<RegionOut>;
}

export interface RequiredDocumentsOut {
  application: string;
  /** 户籍在别处的，在任一组之外还要的材料 */
  besides: Array<DocumentBesidesOut>;
  /** 任一组齐全即可 */
  sets: Array<Array<string>>;
}

export interface RetirementChoiceOut {
  /** 领取基本养老金的最低缴费年限（月），按开始领取的年份 */
  earliest_minimum_months: number | null;
  /** 弹性提前，最早可选的月份 */
  earliest_month: string;
  /** 以当地公布为准 */
  earliest_to_confirm: boolean;
  /** 弹性延迟，最晚可选的月份 */
  latest_month: string;
  /** 以当地公布为准 */
  latest_to_confirm: boolean;
}

export interface RetirementOutlookOut {
  contributions: ContributionsOut;
  hotline: HotlineOut;
  /** 脱敏 */
  name: string;
  /** 请完整显示 */
  notes: Array<string>;
  /** 按这一天（北京时间）生效的规则 */
  on: string;
  region: string;
  region_name: string;
  rule_id: string | null;
  sources: Array<SourceOut>;
  /** 身份证看不出女职工按哪一种，所以都列出；没有规则时为空 */
  tracks: Array<RetirementTrackOut>;
}

export interface RetirementTrackOut {
  /** 法定退休年龄：几岁零几个月中的月 */
  age_months: number;
  age_years: number;
  /** 弹性退休；不适用时为空 */
  choice: RetirementChoiceOut | null;
  /** 比原法定退休年龄延迟几个月 */
  delay_months: number;
  /** 人社部门核定以前，判断能否参保时按这一种 */
  is_default: boolean;
  is_reached: boolean;
  /** 领取基本养老金的最低缴费年限（月），按开始领取的年份 */
  minimum_months: number | null;
  months_left: number;
  /** 按合计月数还差几个月；经办机构没有登记的未计入 */
  shortfall_months: number | null;
  /** 法定退休年龄到达的月份 */
  statutory_month: string;
  title: string;
  /** M60, F55, F50 */
  track: string;
}

export interface SessionOut {
  account: AccountOut;
  /** 生效的功能按钮；未核验身份时为空 */
  capabilities: Array<string>;
  expires_at: string;
  token: string;
}

export interface SignInIn {
  /** 微信、支付宝：wx.login 或 my.getAuthCode 给出的一次性凭证；与 phone、sms_code 二选一 */
  code?: string;
  miniprogram: string;
  /** APP：手机号码，与 sms_code 一起 */
  phone?: string;
  /** APP：短信中的6位数字 */
  sms_code?: string;
}

export interface SmsCodeIn {
  miniprogram: string;
  /** 中国大陆手机号码，可带 +86、空格或短横 */
  phone: string;
}

export interface SmsCodeOut {
  /** 多久以后可以重新获取 */
  next_after_seconds: number;
  /** 验证码多久以后失效 */
  valid_for_seconds: number;
}

export interface SourceOut {
  source: string;
  /** VERIFIED, SECONDARY, DERIVED, TO_CONFIRM（以当地公布为准） */
  status: string;
  what: string;
}

export interface SubmissionIn {
  /** 页面上所见的版本 */
  version: number;
}

export interface TierChangeIn {
  /** 申报工资基数（分/月），方案允许时代替档次 */
  declared_wage_fen?: number | null;
  /** 缴费档次 */
  tier?: string | null;
}

export interface TierChangeOut {
  /** 参保关系编号 */
  id: string;
  tier_change: TierChangeTermsOut;
  tiers: Array<EnrollmentTierOut>;
}

export interface TierChangeTermsOut {
  available: boolean;
  /** 手机不能办理时，可去的窗口 */
  counter: Record<string, unknown> | null;
  /** 现在变更，从这个月起执行 */
  from_month: string | null;
  reason: string | null;
  /** 以当地公布为准 */
  to_confirm: boolean;
}

export interface TierOut {
  account_part_fen: number;
  amount_fen: number;
  base_fen: number | null;
  label: string;
  pooling_part_fen: number;
  tier: string;
}

export interface TimelineStepOut {
  /** APPLICANT 申请人，STAFF 经办人员，SYSTEM 系统 */
  actor: string;
  at: string;
  remark: string | null;
  step: string;
  title: string;
}

export interface VerificationOut {
  id_number: string;
  name: string;
  state: string;
}

export interface WayOut {
  available: boolean;
  /** 怎么办；不可用时说明原因 */
  detail: string;
  hotline: string;
  title: string;
  /** BANK_CARD 银行卡，COUNTER 窗口，FAMILY 家人代缴 */
  way: string;
}

export interface WithdrawalOut {
  /** 依法继续什么 */
  goes_on: string;
  /** 撤回以前已下、还可能付款的订单：会办完或到期关闭 */
  orders_under_way: Array<string>;
  purpose: string;
  /** 已经停止什么 */
  stopped: string;
  withdrawn_at: string;
}

export interface Operations {
  /** Register in the app and sign in (用户注册). */
  createAccount: { given: AccountIn; answer: SessionOut };
  /** The form of NEW_ENROLLMENT, RESUMPTION or SUSPENSION in a region, only what it needs. */
  readApplicationForm: { given: { kind: string; region?: string; pooling_area?: string; insurance_type?: string }; answer: ApplicationFormOut };
  /** My applications, newest first (办件状态). */
  listApplications: { given: Nothing; answer: ApplicationsOut };
  /** Begin an application as a draft. The same key again tells the same one. */
  createApplication: { given: ApplicationIn; answer: ApplicationOut };
  /** Take it back, until somebody reviews it; again changes nothing. */
  withdrawApplication: { given: { application_id: string }; answer: void };
  /** One application, with every step on its way (进度查看). */
  readApplication: { given: { application_id: string }; answer: ApplicationOut };
  /** Fill in more of a draft, or of one that came back; what is not named stays. */
  changeApplication: { given: { application_id: string } & ChangeIn; answer: ApplicationOut };
  /** 上传: all papers are there. Again, it changes nothing. */
  handInDocuments: { given: { application_id: string } & Nothing; answer: ApplicationOut };
  /** Take a photograph back. From then on nobody can open it. */
  removeDocument: { given: { application_id: string; kind: string }; answer: void };
  /** A link to the photograph for five minutes, for me alone. */
  linkToDocument: { given: { application_id: string; kind: string }; answer: PictureLinkOut };
  /** Put a photograph of one kind of paper: the bytes of a JPEG or a PNG, at most 8 MB, whatever their Content-Type says. */
  uploadDocument: { given: { application_id: string; kind: string; picture: ArrayBuffer }; answer: DocumentOut1 };
  /** 登记表, once the application is approved and the agency's notice was agreed to (`AGENCY_CLIENT`). Unchanged, it is the same file again. */
  printRegistrationForm: { given: { application_id: string }; answer: ArrayBuffer };
  /** 提交申报, or 保存 where that is the same. Pressed twice it is one submission; nobody submits what they did not see. */
  submitApplication: { given: { application_id: string } & SubmissionIn; answer: ApplicationOut };
  /** What I agreed to, and what taking it back would stop. */
  listConsents: { given: Nothing; answer: OwnConsentsOut };
  /** Agree to one text for one purpose. Agreeing again to the same text is the same consent. */
  createConsent: { given: ConsentIn; answer: ConsentOut };
  /** Take a consent back. What it covered stops at once; the answer says what goes on. */
  withdrawConsent: { given: { consent_id: string }; answer: WithdrawalOut };
  /** My own enrolments, those in force first. */
  listEnrollments: { given: Nothing; answer: EnrollmentsOut };
  /** Choose another tier, from the month that the region allows. The same key again changes nothing. */
  changeTier: { given: { enrollment_no: string } & TierChangeIn; answer: TierChangeOut };
  /** Be verified by the bank that knows name, ID number, card and phone (银行卡核验). The same key again tells the same check. */
  checkBankCard: { given: BankCardCheckIn; answer: BankCardCheckOut };
  /** A short code to show at the counter (窗口核验). While one is open, it is told again, whatever the key. */
  openCounterCheck: { given: Nothing; answer: CounterCheckOut };
  /** Take the open code back. */
  withdrawCounterCheck: { given: Nothing; answer: void };
  /** Where the newest code stands, for a day. */
  readCounterCheck: { given: Nothing; answer: CounterCheckOut };
  /** Open a face check at the platform (人脸核验). The same key again tells the same check. */
  startFaceCheck: { given: FaceCheckIn; answer: FaceCheckOut };
  /** Where a face check stands. */
  readFaceCheck: { given: { check_id: string }; answer: FaceCheckOut };
  /** The phone is back from the camera: ask the platform and tell its verdict. */
  finishFaceCheck: { given: { check_id: string } & Nothing; answer: FaceCheckOut };
  /** Name, mobile number and ID number, matched by the authority (实名认证). */
  proveName: { given: RealNameIn; answer: VerificationOut };
  /** Me, and those I may pay for. */
  listInsuredPersons: { given: Nothing; answer: InsuredPersonsOut };
  /** Add somebody by name and ID number. A miss is always the same answer. Adding again is the same person. */
  addInsuredPerson: { given: InsuredPersonIn; answer: InsuredPersonOut };
  /** Stop paying for somebody. */
  removeInsuredPerson: { given: { insured_person_id: string }; answer: void };
  /** The bills of one person, newest month first. */
  listBills: { given: { insured_person_id: string }; answer: BillsOut };
  /** My joint cases, newest first. */
  listJointCases: { given: Nothing; answer: JointCasesOut };
  /** Open a joint case; its enrolment is an application that names it. */
  openJointCase: { given: JointCaseIn; answer: JointCaseOut };
  /** One joint case, and where each of its steps stands. */
  readJointCase: { given: { case_id: string }; answer: JointCaseOut };
  /** Who I am here, and which buttons are alive. */
  readMe: { given: Nothing; answer: MeOut };
  /** Forget the number. */
  removePhone: { given: Nothing; answer: void };
  /** Keep the number that the platform's button gave. The real-name check may then leave it out. */
  addPhone: { given: PhoneIn; answer: MeOut };
  /** Larger type, plainer words, longer sessions; and the language. What is left out stays as it is. */
  setPreferences: { given: PreferencesIn; answer: MeOut };
  /** The menu of a region, as its own source draws it. */
  readMenu: { given: { region?: string }; answer: MenuOut };
  /** My messages, newest first, some twenty to a page. */
  listMessages: { given: { before?: string }; answer: MessagesOut };
  /** The texts to read, with version and hash. */
  listNotices: { given: Nothing; answer: NoticesOut };
  /** Say that a text was opened: its reading time runs from the first time (请务必仔细阅读). */
  openNotice: { given: NoticeReadingIn; answer: NoticeReadingOut };
  /** Who placed orders for me in the last year, and whom I blocked. */
  listPayers: { given: Nothing; answer: PayersOut };
  /** Let this payer place no further orders for me. Blocking again is the same block. */
  blockPayer: { given: PayerBlockIn; answer: PayerOut };
  /** Let a payer place orders for me again. */
  unblockPayer: { given: { block_id: string }; answer: void };
  /** My orders, newest first. */
  listOrders: { given: Nothing; answer: PaymentOrdersOut };
  /** Reserve bills and open their payment. The same key again tells the same order. */
  placeOrder: { given: PaymentOrderIn; answer: PaymentOrderOut };
  /** Where an order stands. Whoever looks makes us look too: a waiting notice is settled, silence is asked about. */
  readOrder: { given: { order_no: string }; answer: PaymentOrderOut };
  /** Close the order at the provider, then give its bills back. */
  cancelOrder: { given: { order_no: string } & Nothing; answer: PaymentOrderOut };
  /** 缴费回单, once the order is paid: no 完税证明. Unchanged, it is the same file again; a month that moved on makes a new version. */
  printReceipt: { given: { order_no: string }; answer: ArrayBuffer };
  /** Everything held about me, by kind: what, why, whence, by what right and how long. Masked; of each kind the newest 50. */
  readOwnData: { given: Nothing; answer: OwnDataOut };
  /** Who looked at my data, when, at what and what for; newest first. */
  listAccesses: { given: { limit?: number; offset?: number }; answer: AccessesOut };
  /** A whole copy as JSON, streamed. In full where the identity is verified and the sign-in younger than 15 minutes. */
  readOwnCopy: { given: Nothing; answer: CopyOut };
  /** My requests, newest first. */
  listDataRequests: { given: Nothing; answer: DataRequestsOut };
  /** Ask for a copy, a correction or the deletion of my account. A deletion that is DONE ends every session of it. */
  makeDataRequest: { given: DataRequestIn; answer: DataRequestOut };
  /** Take back a request that nobody has answered yet; again changes nothing. */
  takeBackDataRequest: { given: { request_id: string }; answer: void };
  /** The photograph behind a link, with the viewer's number and the moment across it. Each look stays on record. */
  showPicture: { given: { ticket: string }; answer: ArrayBuffer };
  /** The regions that take enrolments. */
  listRegions: { given: Nothing; answer: RegionsOut };
  /** One region today: areas, insurances, tiers with amounts, documents, hotlines, windows, banks, and what the phone can do. */
  readRegion: { given: { code: string }; answer: RegionDetailOut };
  /** When I may draw my pension, by each track that I may be on, and what is paid so far by our records. A reckoning, no decision. */
  readRetirementOutlook: { given: Nothing; answer: RetirementOutlookOut };
  /** Sign in: with the platform's one-time code in a mini-program, with phone and SMS code in the app. */
  createSession: { given: SignInIn; answer: SessionOut };
  /** Sign out. */
  endSession: { given: Nothing; answer: void };
  /** Send a code to a phone, for the app alone. The answer is the same whether the number has an account or not. */
  createSmsCode: { given: SmsCodeIn; answer: SmsCodeOut };
  /** My agreements, those in force first; and where, at which banks and with how much on the card one signs. */
  listWithholdingAgreements: { given: Nothing; answer: AgreementsOut };
  /** Sign one with one's own card (新增协议); the bank is asked at once. The same key again tells the same agreement. */
  signWithholdingAgreement: { given: AgreementIn; answer: AgreementOut };
  /** End it (解约); again changes nothing. */
  terminateWithholdingAgreement: { given: { agreement_id: string }; answer: AgreementOut };
  /** One of my agreements. */
  readWithholdingAgreement: { given: { agreement_id: string }; answer: AgreementOut };
}
