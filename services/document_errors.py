"""Refusals about photographs of papers: what is wrong with the picture, and how to take a better one."""

from __future__ import annotations

from services.errors import BusinessError, Kind


class PictureNotAccepted(BusinessError):
    code = "PICTURE_NOT_ACCEPTED"
    kind = Kind.MALFORMED
    title = "文件不是照片"
    detail = "只接受JPG、PNG格式的照片，请用手机重新拍摄后上传；PDF、文档和动图请改拍成照片。"


class PictureDamaged(BusinessError):
    code = "PICTURE_DAMAGED"
    kind = Kind.MALFORMED
    title = "照片已损坏"
    detail = "照片不完整或无法打开，请重新拍摄后上传。"


class PictureTooLarge(BusinessError):
    code = "PICTURE_TOO_LARGE"
    kind = Kind.MALFORMED
    title = "照片过大"
    detail = "照片不能超过8MB或4000万像素，请用手机的普通拍照模式重新拍摄。"


class PictureInfected(BusinessError):
    code = "PICTURE_INFECTED"
    kind = Kind.MALFORMED
    title = "文件含有病毒"
    detail = "文件没有通过病毒检查，未予保存。请用手机直接拍摄原件后上传，不要转发他人发来的文件。"


class DocumentNotAsked(BusinessError):
    code = "DOCUMENT_NOT_ASKED"
    kind = Kind.CONFLICT
    title = "此项申请不需要这种材料"
    detail = "请返回材料清单，按清单中的种类上传。"


class DocumentsNotEditable(BusinessError):
    code = "DOCUMENTS_NOT_EDITABLE"
    kind = Kind.CONFLICT
    title = "申请已经提交"
    detail = "申请提交后不能更换材料；需要更换的，请先撤回申请，或等待审核人员退回补正。"


class PictureLost(BusinessError):
    code = "PICTURE_LOST"
    kind = Kind.CONFLICT
    title = "照片无法读取"
    detail = "这张照片已无法读取，我们已记录此问题；申请尚未提交的，请重新上传这张照片。"


class PictureLinkEnded(BusinessError):
    code = "PICTURE_LINK_ENDED"
    kind = Kind.NOT_FOUND
    title = "链接已失效"
    detail = "查看照片的链接5分钟内有效，请返回材料清单重新打开。"


class TooManyUploads(BusinessError):
    code = "TOO_MANY_UPLOADS"
    kind = Kind.TOO_MANY
    title = "今日上传次数已用完"
    detail = "请明天再上传；急需办理的，请携带材料到窗口。"


class TooManyLooks(BusinessError):
    code = "TOO_MANY_LOOKS"
    kind = Kind.TOO_MANY
    title = "今日查看次数已用完"
    detail = "为保护您的个人信息，这张照片今天不能再查看，请明天再试。"
